/** Placeholder type while the module is being written. */
export interface Cursor {
  readonly slots: ReadonlyMap<number, ReadonlyMap<string, number>>;
  readonly asOfMs: number | undefined;
}
