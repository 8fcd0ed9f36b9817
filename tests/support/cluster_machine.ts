/**
 * One machine of a simulated cluster, and the relay that runs on it or does not.
 *
 * @module
 */
import type { Group } from "../../backbone/backbone.ts";
import { originText } from "../../relay/protocol/base64url.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Origin } from "../../relay/protocol/message.ts";
import type { Draft, Published } from "../../relay/protocol/upstream.ts";
import type { Retention } from "../../relay/options.ts";
import { type Relay, startRelay } from "../../relay/relay.ts";
import { SimulatedBackbone } from "./cluster_backbone.ts";
import { ProcessClock } from "./cluster_time.ts";
import { hostOf, type Party } from "./cluster_transport.ts";
import type { ClusterWorld } from "./cluster_world.ts";
import { seededRandom } from "./random.ts";

const WALL_MS = Date.UTC(2026, 0, 1);

/** A relay that cannot start is started again so long after, in milliseconds. */
const RESTART_MS = 500;

export interface MachineOptions {
  readonly world: ClusterWorld;
  readonly number: number;
  readonly retention: Retention;
  readonly groupCount: number;
  readonly stored: boolean;
  readonly seed: number;
}

/** A relay's process. */
interface Process extends Party {
  readonly origin: Origin;
  relay: Relay | undefined;
  backbone: SimulatedBackbone | undefined;
}

export class Machine {
  readonly number: number;
  readonly name: string;
  process: Process | undefined;
  /** How far its wall clock is off, in milliseconds. */
  skewMs = 0;
  readonly #options: MachineOptions;
  #starts = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.number = options.number;
    this.name = `n${options.number}`;
  }

  get isUp(): boolean {
    return this.process !== undefined;
  }

  /** The relay that serves here, if it does. */
  get relay(): Relay | undefined {
    return this.process?.relay;
  }

  hears(group: Group): boolean {
    return this.process?.backbone?.hears(group) ?? false;
  }

  start(): void {
    if (this.process) return;
    const { world, retention, groupCount, stored, seed } = this.#options, { archives } = world;
    const random = seededRandom(seed * 65_536 + this.number * 4096 + ++this.#starts);
    const origin = originText(Uint8Array.from({ length: 6 }, () => Math.floor(random() * 256)));
    const clock = new ProcessClock(world.clock);
    const process: Process = {
      ...{ machine: this.number, clock, origin, relay: undefined, backbone: undefined },
    };
    this.process = process;
    world.note(`${this.name} starts as ${origin}`);
    world.ledger.starts.push({ node: this.name, atMs: world.clock.nowMs() });
    const starting = startRelay({
      ...{ interface: hostOf(this.number), groupBase: "239.192.7.0", groupCount, groupPort: 3055 },
      ...{
        id: this.name,
        region: "local",
        credentials: undefined,
        clock,
        random,
        origin,
        retention,
      },
      wallMs: () => WALL_MS + world.clock.nowMs() + this.skewMs,
      log: (level, message, fields) =>
        process === this.process && world.note(`${this.name} ${level}: ${message} ${tell(fields)}`),
      ...(archives ? { archive: archives.storeFor(this.number, clock) } : {}),
      ...(stored ? { tableStore: world.tables.storeOf(this.number) } : {}),
      transport: world.tcp.transport(process),
      openBackbone: (_, events) => {
        const { multicast } = world;
        const backbone = new SimulatedBackbone(multicast, this.number, clock, origin, events);
        process.backbone = backbone;
        return Promise.resolve(backbone);
      },
    });
    starting.then((relay) => void (process.relay = relay), (error) => {
      world.note(`${this.name} cannot start: ${error}`);
      if (this.process === process) this.kill();
      world.clock.after(RESTART_MS, () => this.start());
    });
  }

  /** The process is gone from one moment to the next; with `dark` its machine as well, and nobody says so. */
  kill(dark = false): void {
    const { process } = this;
    this.process = undefined;
    if (!process) return;
    const { multicast, tcp, ledger } = this.#options.world;
    ledger.fetches.push({ node: this.name, messages: fetchedBy(process.relay) });
    process.clock.kill();
    if (process.backbone) {
      process.backbone.isDark = dark;
      multicast.endpoints.delete(process.backbone);
    }
    if (dark) tcp.dark(process);
    else tcp.died(process);
  }

  /** Says goodbye and hands over; resolves when that is done. */
  async leave(): Promise<void> {
    const { process } = this;
    this.#options.world.note(`${this.name} leaves`);
    await process?.relay?.close();
    if (this.process === process) this.kill();
  }

  /** Tells the answer of a relay that lives to give it. */
  publish(draft: Draft, answered: (answer: Published | GroundwaveError) => void): void {
    const { process } = this;
    const { relay } = process ?? {};
    if (!process || !relay) return answered(new GroundwaveError("unavailable", "it is down"));
    const tell = (answer: Published | GroundwaveError) => {
      if (!process.clock.isDead) answered(answer);
    };
    process.clock.run(() => {
      relay.upstream.publish(draft).then(tell, (error) => tell(GroundwaveError.from(error)));
    });
  }
}

function fetchedBy(relay: Relay | undefined): number {
  const metrics = relay?.upstream.metrics() ?? [];
  return metrics.find(({ name }) => name === "groundwave_relay_pulled_total")?.value ?? 0;
}

function tell(fields: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(fields).map(([name, value]) => `${name}=${value}`).join(" ");
}
