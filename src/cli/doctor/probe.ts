/**
 * What two doctors say to each other, in JSON: no PGM packet, so that relays and other programs on the group drop it.
 *
 * @module
 */
import { z } from "zod";

const id = z.string().regex(/^[A-Za-z0-9_-]{8}$/);

const message = z.object({
  groundwave: z.literal("doctor"),
  /** Drawn at each start. */
  id,
  /** How many probes the sender has sent to the group, this one included. */
  sent: z.int().min(0),
  /** Whose probes it hears. */
  hears: z.array(id).max(64),
  /** Absent in a probe; in an answer, which goes to one address, the probe that it answers. */
  answers: z.object({ id, sent: z.int().min(0) }).optional(),
});

export type Message = z.infer<typeof message>;

export function encodeMessage(content: Omit<Message, "groundwave">): Uint8Array {
  const whole: Message = { groundwave: "doctor", ...content };
  return new TextEncoder().encode(JSON.stringify(whole));
}

/** Undefined for anything else. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  try {
    return message.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
