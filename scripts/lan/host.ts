/**
 * One machine of a lab: a network namespace with one interface.
 *
 * @module
 */
import { listsGroup } from "./igmp.ts";
import { shell } from "./shell.ts";

export interface HostOptions {
  /** The namespace. */
  readonly name: string;
  /** IPv4, on the lab's only subnet. */
  readonly address: string;
  /** The namespace of the switch, and this host's port there. */
  readonly switchName: string;
  readonly port: string;
}

export class Host {
  readonly name: string;
  readonly address: string;
  readonly #switchName: string;
  readonly #port: string;
  readonly #children = new Set<Deno.ChildProcess>();

  constructor({ name, address, switchName, port }: HostOptions) {
    this.name = name;
    this.address = address;
    this.#switchName = switchName;
    this.#port = port;
  }

  /** Starts a program here. Its pid is the program's own. What still runs when the lab closes is killed. */
  spawn(command: readonly string[], options: Deno.CommandOptions = {}): Deno.ChildProcess {
    const child = new Deno.Command("ip", {
      ...options,
      args: ["netns", "exec", this.name, ...command],
    }).spawn();
    this.#children.add(child);
    child.status.then(() => this.#children.delete(child));
    return child;
  }

  /**
   * Loses a share of the datagrams that arrive here for a UDP port, at random; replaces what was set before.
   *
   * @throws {RangeError} if the share is not 0 to 100 percent.
   */
  lose(percent: number, udpPort: number): void {
    if (!(percent >= 0 && percent <= 100)) throw new RangeError(`${percent} is not 0 to 100 %`);
    const share = Math.round(percent * 100);
    const rule = share === 0
      ? ""
      : `add rule inet loss input udp dport ${udpPort} numgen random mod 10000 <= ${
        share - 1
      } drop;`;
    shell(
      `ip netns exec ${this.name} nft 'add table inet loss; flush table inet loss; ` +
        `add chain inet loss input { type filter hook input priority 0; }; ${rule}'`,
    );
  }

  /** Pulls the cable. */
  cut(): void {
    shell(`ip -n ${this.#switchName} link set ${this.#port} down`);
  }

  /** Plugs it in again. */
  mend(): void {
    shell(`ip -n ${this.#switchName} link set ${this.#port} up`);
  }

  /** Whether any socket here is a member of a multicast group. */
  hears(group: string): boolean {
    return listsGroup(shell(`ip netns exec ${this.name} cat /proc/net/igmp`), group);
  }

  /** Kills what was started here; resolves when it has ended. */
  async stop(): Promise<void> {
    const children = [...this.#children];
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(({ status }) => status));
  }
}
