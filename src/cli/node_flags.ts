/**
 * The flags of the commands that run a node.
 *
 * @module
 */
import { parseRedisUrl, type RedisUrl } from "../../backbone/registry/redis_url.ts";
import { z } from "zod";
import { flag, integer, ipv4, type Kind, multicast, oneOf, optional, text } from "./flag.ts";

const label = text(
  /^[A-Za-z0-9_.-]{1,64}$/,
  "1 to 64 letters, digits, dots, dashes or underscores",
);
const path = text(/^[^\0]{1,4096}$/, "the path of a file");
const hostname = text(/^[A-Za-z0-9.:-]{1,255}$/, "a host name or IP address");

export const port = flag("PORT", "HTTP port; 0: any free one", integer(0, 65535), 8000);
export const id = optional(
  "NAME",
  "name of this node, unique in the cluster (host and port)",
  label,
);
export const region = flag("NAME", "region of this node", label, "local");
export const log = flag(
  "FORMAT",
  "text or json lines on standard error",
  oneOf("json", "text"),
  "text",
);

export function host(initial: string) {
  return flag("HOST", "address to listen on", hostname, initial);
}

export { ipv4 as interfaceAddress };

/** Secret: it may have a password in it. */
const redisUrl: Kind<RedisUrl> = {
  schema: z.string().transform((text, context) => {
    try {
      return parseRedisUrl(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: String(error) });
      return z.NEVER;
    }
  }),
  allowed: "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], redis+sentinel://HOST,HOST/NAME or " +
    "redis+cluster://HOST,HOST (rediss for TLS)",
  secret: true,
};

export const redis = optional(
  "URL",
  "Redis to balance groups, redis[s]://, also +sentinel, +cluster (none)",
  redisUrl,
);

/** Where an archive is kept. */
export type ArchivePlace =
  | { readonly kind: "redis" }
  | { readonly kind: "sqlite"; readonly path: string };

const archivePlace: Kind<ArchivePlace> = {
  schema: z.string().regex(/^(redis|sqlite:[^\0]{1,4096})$/).transform((place) => {
    if (place === "redis") return { kind: "redis" };
    return { kind: "sqlite", path: place.slice("sqlite:".length) };
  }),
  allowed: "redis, or sqlite: and the path of a file",
};

export const archive = optional(
  "PLACE",
  "copy of what is held, for when all nodes end: sqlite:FILE or redis (none)",
  archivePlace,
);

/** Where the cluster meets: nodes with the same three hear each other. */
export const groups = {
  "group-base": flag("ADDRESS", "first multicast group, for control", multicast, "239.192.7.0"),
  "group-count": flag("COUNT", "multicast groups that share the channels", integer(1, 255), 32),
  "group-port": flag("PORT", "UDP port of all groups", integer(1, 65535), 3055),
  "group-key-file": optional(
    "FILE",
    "key that all nodes share: 1 or 2 lines ID:SECRET, the first signs (none)",
    path,
  ),
} as const;

/** What tells clusters apart, on a LAN and in a Redis. */
export function clusterName(
  options: { readonly "group-base": string; readonly "group-port": number },
): string {
  return `${options["group-base"]}:${options["group-port"]}`;
}
