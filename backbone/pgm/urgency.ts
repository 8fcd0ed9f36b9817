/**
 * How soon it has to be known of a payload that it has arrived, or not.
 *
 * @module
 */

/**
 * `awaited`: somebody waits for its acknowledgement. `repeated`: what it says is said again soon, which will show, too, if
 * it was lost; it is sure to arrive all the same.
 */
export type Urgency = "awaited" | "usual" | "repeated";
