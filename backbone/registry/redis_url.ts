/**
 * The URLs by which an operator says where Redis is:
 *
 *     redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]             one server
 *     redis+sentinel://[…@]HOST[:PORT][,HOST[:PORT]…]/NAME[/DATABASE]   the master NAME that sentinels watch
 *     redis+cluster://[…@]HOST[:PORT][,HOST[:PORT]…]               a Cluster, by some of its nodes
 *
 * `rediss` in place of `redis` means TLS. User and password are those of the servers that hold data.
 *
 * @module
 */

export interface Host {
  readonly host: string;
  readonly port: number;
}

export interface RedisUrl {
  readonly kind: "single" | "sentinel" | "cluster";
  readonly tls: boolean;
  readonly hosts: readonly [Host, ...Host[]];
  /** What the sentinels call the master; empty without sentinels. */
  readonly master: string;
  readonly database: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** For people: without user and password. */
  readonly shown: string;
}

const PORTS = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;
const MOST_HOSTS = 64;

const URL_FORM =
  /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<login>[^/?#]*)@)?(?<hosts>[^/?#@]+)(?:\/(?<path>[^?#]*))?$/;

/** @throws {RangeError} that says what is wrong, and nothing secret. */
export function parseRedisUrl(text: string): RedisUrl {
  const parts = URL_FORM.exec(text)?.groups;
  if (!parts) {
    throw new RangeError("it is not redis://, redis+sentinel:// or redis+cluster:// and a host");
  }
  const kind = parts.kind === "sentinel" || parts.kind === "cluster" ? parts.kind : "single";
  const hosts = parseHosts(parts.hosts ?? "", PORTS[kind]);
  if (kind === "single" && hosts.length > 1) {
    throw new RangeError("several hosts are either redis+sentinel:// or redis+cluster://");
  }
  const place = parsePath(kind, parts.path ?? "");
  const scheme = text.slice(0, text.indexOf(":"));
  const path = parts.path ? `/${parts.path}` : "";
  return {
    kind,
    tls: parts.tls === "s",
    hosts,
    ...place,
    ...parseLogin(parts.login),
    shown: `${scheme}://${parts.hosts}${path}`,
  };
}

function parseHosts(text: string, standardPort: number): readonly [Host, ...Host[]] {
  const [first, ...rest] = text.split(",").map((host) => parseHost(host, standardPort));
  if (!first || rest.length >= MOST_HOSTS) {
    throw new RangeError(`it names over ${MOST_HOSTS} hosts`);
  }
  return [first, ...rest];
}

function parseHost(text: string, standardPort: number): Host {
  const [, bracketed, plain, digits] =
    /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ??
      [];
  const host = bracketed ?? plain, port = digits === undefined ? standardPort : Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new RangeError("it names something that is not HOST or HOST:PORT");
  }
  return { host, port };
}

function parsePath(kind: RedisUrl["kind"], path: string): Pick<RedisUrl, "master" | "database"> {
  const [form, says] = kind === "single"
    ? [/^(?<database>\d{0,5})$/, "after the host comes /DATABASE, a number, or nothing"]
    : kind === "cluster"
    ? [/^$/, "a Cluster has no databases to choose from"]
    : [/^(?<master>[\w.-]+)(?:\/(?<database>\d{1,5}))?$/, "after the sentinels comes /NAME"];
  const parts = form.exec(path);
  if (!parts) throw new RangeError(says);
  return { master: parts.groups?.master ?? "", database: Number(parts.groups?.database ?? 0) };
}

function parseLogin(text = ""): Pick<RedisUrl, "username" | "password"> {
  const [, user = "", password] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  try {
    return {
      username: user === "" ? undefined : decodeURIComponent(user),
      password: password === undefined ? undefined : decodeURIComponent(password),
    };
  } catch {
    throw new RangeError("% in user and password is written %25, @ is %40");
  }
}
