/**
 * The demo page and the browser client, as files of their own so that the page runs under a strict policy.
 *
 * @module
 */
import { answer } from "./answer.ts";
import type { Handler } from "./core.ts";

/** A file to serve, by its path. */
export type Assets = Readonly<Record<string, Asset>>;

export interface Asset {
  /** Media type. */
  readonly type: string;
  readonly body: string;
}

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self' ws: wss:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE_HEADERS = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "Referrer-Policy": "no-referrer",
};

/** Serves `asset`; its ETag is set by Hono's middleware. */
export function assetHandler(asset: Asset): Handler {
  const headers = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    ...asset.type.startsWith("text/html") && PAGE_HEADERS,
  };
  return () => answer(asset.body, asset.type, headers);
}
