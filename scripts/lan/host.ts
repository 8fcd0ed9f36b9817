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

/** Whom a host that is cut off still reaches: nobody; it does not hear others, who hear it; others do not hear it. */
export type Cut = "both" | "deaf" | "mute";

export class Host {
  readonly name: string;
  readonly address: string;
  /** From these another process can make the same host. */
  readonly options: HostOptions;
  readonly #children = new Set<Deno.ChildProcess>();

  constructor(options: HostOptions) {
    this.options = options;
    this.name = options.name;
    this.address = options.address;
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
  unplug(): void {
    const { switchName, port } = this.options;
    shell(`ip -n ${switchName} link set ${port} down`);
  }

  /**
   * Loses at the switch what comes from here, what goes here, or both; replaces what was cut before.
   *
   * @param but a host that stays within reach.
   */
  cut(which: Cut, but?: Host): void {
    const { port } = this.options;
    const other = (meta: string) => but ? `${meta} != "${but.options.port}"` : "";
    const mute = `add rule bridge ${port} cut iifname "${port}" ${other("oifname")} drop;`;
    const deaf = `add rule bridge ${port} cut oifname "${port}" ${other("iifname")} drop;`;
    this.#atSwitch(
      `flush table bridge ${port}; ` +
        `add chain bridge ${port} cut { type filter hook forward priority 0; }; ` +
        `${which === "deaf" ? "" : mute} ${which === "mute" ? "" : deaf}`,
    );
  }

  /** Undoes a cut, and plugs the cable in again. */
  mend(): void {
    const { switchName, port } = this.options;
    shell(`ip -n ${switchName} link set ${port} up`);
    this.#atSwitch(`delete table bridge ${port}`);
  }

  /** Sends a signal to all that runs here, such as SIGSTOP. */
  signal(signal: Deno.Signal): void {
    shell(`ip netns pids ${this.name} | xargs -r kill -${signal.slice(3)} || :`);
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

  #atSwitch(rules: string): void {
    const { switchName, port } = this.options;
    shell(`ip netns exec ${switchName} nft 'add table bridge ${port}; ${rules}'`);
  }
}
