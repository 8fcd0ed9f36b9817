/**
 * A subscription as a loop.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Message, MessageHandler, SubscribeOptions, Subscription } from "./subscription.ts";

/** Messages that may wait for the loop's body. */
const MAX_WAITING = 1000;

/** Gives the messages of a subscription one by one; ends with it, and ends it. */
export async function* messagesOf(
  subscribe: (handler: MessageHandler, options: SubscribeOptions) => Subscription,
  options: SubscribeOptions,
): AsyncGenerator<Message, void> {
  const waiting: Message[] = [];
  let failure: GroundwaveError | undefined, wake = () => {};
  const subscription = subscribe((message) => {
    if (failure) return;
    if (waiting.length < MAX_WAITING) waiting.push(message);
    else failure = new GroundwaveError("slow_reader", `${MAX_WAITING} messages wait already`);
    wake();
  }, {
    ...options,
    onState(state) {
      options.onState?.(state);
      wake();
    },
    onError(error) {
      options.onError?.(error);
      failure = error;
      wake();
    },
  });
  try {
    for (;;) {
      for (let next = waiting.shift(); next; next = waiting.shift()) yield next;
      if (failure) throw failure;
      if (subscription.state === "closed") return;
      await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    subscription.close();
  }
}
