/**
 * Data that is short in a ledger and long on the wire: `NAME LENGTH xxxx…`.
 *
 * @module
 */

/** Data of so many characters, at least. */
export function filled(name: string, length: number): string {
  return `${name} ${length} `.padEnd(length, "x");
}

/** The name in it; what is not whole is its own name, which nobody published. */
export function nameIn(data: string): string {
  const [name = "", length] = data.split(" ", 2);
  return data === filled(name, Number(length)) ? name : `garbled ${data.slice(0, 100)}`;
}
