/**
 * What the doctor finds: one line each.
 *
 * @module
 */

/** `warn`: works, but not as well as it could. `fail`: nodes will not hear each other, or cannot use what they are told to. */
export type State = "ok" | "warn" | "fail";

export interface Finding {
  readonly state: State;
  /** What was looked at. */
  readonly about: string;
  /** How it is. */
  readonly says: string;
  /** What to do about it, where something is wrong. */
  readonly mend?: string;
}

export function ok(about: string, says: string): Finding {
  return { state: "ok", about, says };
}

/** Something wrong, and how to mend it. */
export function trouble(
  state: Exclude<State, "ok">,
  about: string,
  says: string,
  mend: string,
): Finding {
  return { state, about, says, mend };
}

export function findingLine({ state, about, says, mend }: Finding): string {
  return `${state.padEnd(4)}  ${about}: ${says}${mend === undefined ? "" : `; ${mend}`}`;
}
