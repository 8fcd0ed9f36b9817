/**
 * One flag and the kinds of value that flags take. A command's table of flags is all there is to parsing, environment
 * twins, configuration keys, validation and help.
 *
 * @module
 */
import { z } from "zod";

/** A set of values. The schema takes text (command line, environment) and what JSON can hold (configuration file). */
export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  /** The values in words, after "give …". */
  readonly allowed: string;
  /** Never shown, not even when wrong. */
  readonly secret?: boolean;
}

/** One flag `--name`, `GROUNDWAVE_NAME` and `"name"`. */
export interface Flag<T> extends Kind<T> {
  /** What stands for the value in the help; undefined: a switch without a value. */
  readonly placeholder: string | undefined;
  readonly help: string;
  /** The value if none is given anywhere. */
  readonly initial: T;
}

/** Flags by name, in the order of the help. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** What a command gets of its flags. */
export type Options<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** A flag with a value that has a default. */
export function flag<T>(placeholder: string, help: string, kind: Kind<T>, initial: T): Flag<T> {
  return { ...kind, placeholder, help, initial };
}

/** A flag with a value that may be absent. */
export function optional<T>(placeholder: string, help: string, kind: Kind<T>): Flag<T | undefined> {
  return { ...kind, placeholder, help, initial: undefined };
}

/** A flag without a value. */
export function toggle(help: string): Flag<boolean> {
  const schema = z.union([
    z.boolean(),
    z.stringbool({ truthy: ["true", "1"], falsy: ["false", "0"] }),
  ]);
  return { schema, allowed: "true or false", placeholder: undefined, help, initial: false };
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Kind<number> {
  const decimal = z.string().regex(/^\d{1,15}$/).transform(Number);
  return {
    schema: z.union([z.number(), decimal]).pipe(z.int().min(min).max(max)),
    allowed: `a whole number from ${min} to ${max}`,
  };
}

/** One of some words. */
export function oneOf<const T extends readonly string[]>(...words: T): Kind<T[number]> {
  return { schema: z.enum(words), allowed: words.join(", ").replace(/, ([^,]*)$/, " or $1") };
}

/** Text of a form that `allowed` describes. */
export function text(pattern: RegExp, allowed: string): Kind<string> {
  return { schema: z.string().regex(pattern), allowed };
}

/** Text that must not be shown. */
export function secret(pattern: RegExp, allowed: string): Kind<string> {
  return { ...text(pattern, allowed), secret: true };
}

/** An IPv4 address. */
export const ipv4: Kind<string> = { schema: z.ipv4(), allowed: "an IPv4 address" };

/** An IPv4 multicast address. */
export const multicast: Kind<string> = {
  schema: z.ipv4().refine((address) => /^2(2[4-9]|3\d)\./.test(address)),
  allowed: "an IPv4 multicast address (224.0.0.0 to 239.255.255.255)",
};
