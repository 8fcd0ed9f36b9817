/**
 * The demo page and the browser client, as files of their own so that the page runs under a strict policy.
 *
 * @module
 */
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

/** Serves `asset`; its ETag is set by Hono's middleware. */
export function assetHandler(asset: Asset): Handler {
  const headers: Record<string, string> = {
    "Content-Type": asset.type,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
  };
  if (asset.type.startsWith("text/html")) {
    headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY;
    headers["Referrer-Policy"] = "no-referrer";
  }
  return (c) => c.body(asset.body, 200, headers);
}
