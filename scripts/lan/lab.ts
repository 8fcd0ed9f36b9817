/**
 * A LAN of network namespaces on one machine: hosts joined by a switch, a bridge in a namespace of its own, so that
 * neither names nor addresses meet those of the machine or of another lab. Needs root.
 *
 * ```ts
 * await using lab = await Lab.open(2);
 * const [one, two] = lab.hosts;
 * two.lose(5, 3055);
 * one.spawn(["ping", "-c", "1", two.address]);
 * ```
 *
 * @module
 */
import { Host } from "./host.ts";
import { shell } from "./shell.ts";

const SUBNET = "10.77.0";
const MOST_HOSTS = 200;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** `gwlab-<pid of the owner>-<lab>-<host>` */
const NAMESPACE = /^gwlab-(\d+)-[0-9a-f]{8}-/;

export class Lab implements AsyncDisposable {
  readonly hosts: readonly Host[];
  /** The namespace whose interface `lan` sees every packet once. */
  readonly switchName: string;
  readonly #prefix: string;
  /** A signal would otherwise end the process and leave the namespaces. */
  readonly #interrupted = () => {
    removeNamespaces((name) => name.startsWith(this.#prefix));
    Deno.exit(130);
  };

  private constructor(prefix: string, count: number) {
    this.#prefix = prefix;
    this.switchName = `${prefix}switch`;
    this.hosts = Array.from({ length: count }, (_, index) =>
      new Host({
        name: `${prefix}host${index + 1}`,
        address: `${SUBNET}.${index + 1}`,
        switchName: this.switchName,
        port: `port${index + 1}`,
      }));
  }

  /**
   * Builds a LAN, and removes those of processes that have ended without doing so.
   *
   * @param count how many hosts, 1 to 200: 10.77.0.1, 10.77.0.2, …
   * @throws {RangeError} if there cannot be so many.
   * @throws {Error} if the system does not allow it.
   */
  static async open(count: number): Promise<Lab> {
    if (!Number.isInteger(count) || count < 1 || count > MOST_HOSTS) {
      throw new RangeError(`a lab has 1 to ${MOST_HOSTS} hosts, not ${count}`);
    }
    removeNamespaces((name) => !isRunning(Number(NAMESPACE.exec(name)?.[1])));
    const lab = new Lab(`gwlab-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}-`, count);
    for (const signal of SIGNALS) Deno.addSignalListener(signal, lab.#interrupted);
    try {
      shell(lab.#plan());
    } catch (cause) {
      await lab.close();
      throw cause;
    }
    return lab;
  }

  /** Kills what still runs in it and removes it. Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.stop()));
    removeNamespaces((name) => name.startsWith(this.#prefix));
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, this.#interrupted);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #plan(): string {
    const sw = this.switchName;
    return [
      `ip netns add ${sw}`,
      // Without a querier on the LAN a bridge that snoops would soon stop to forward to members.
      `ip -n ${sw} link add lan type bridge mcast_snooping 0`,
      `ip -n ${sw} link set lan up`,
      ...this.hosts.flatMap(({ name, address }, index) => [
        `ip netns add ${name}`,
        `ip -n ${sw} link add port${index + 1} type veth peer name eth0 netns ${name}`,
        `ip -n ${sw} link set port${index + 1} master lan up`,
        `ip -n ${name} link set lo up`,
        `ip -n ${name} link set eth0 up`,
        // What is sent in one go is cut before it leaves, so that losses and captures meet datagrams. Streams are cut by
        // network cards, at no cost to the host.
        `ip netns exec ${name} ethtool -K eth0 tx-udp-segmentation off`,
        `ip -n ${name} addr add ${address}/24 dev eth0`,
        `ip -n ${name} route add 224.0.0.0/4 dev eth0`,
      ]),
    ].join("\n");
  }
}

/** Whether this machine lets us build one: root, and a kernel that makes namespaces. */
export function canOpenLabs(): boolean {
  try {
    shell("ip -V && nft -v && ethtool --version && unshare --net --mount true");
    return true;
  } catch {
    return false;
  }
}

/** Removes the labs' namespaces that are chosen, and what runs in them. */
function removeNamespaces(chosen: (name: string) => boolean): void {
  for (const line of shell("ip netns list").split("\n")) {
    const name = line.split(" ")[0] ?? "";
    if (!NAMESPACE.test(name) || !chosen(name)) continue;
    // Another may be removing the same.
    shell(`ip netns pids ${name} | xargs -r kill -9 || :; ip netns delete ${name} || :`);
  }
}

function isRunning(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}
