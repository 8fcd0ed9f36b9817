import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { testUpstream } from "../relay/protocol/upstream_contract.ts";
import { MemoryUpstream } from "../support/memory_upstream.ts";

testUpstream("upstream in memory", () => {
  const upstream = new MemoryUpstream();
  const drain = () => upstream.drain(new GroundwaveError("draining", "going away"));
  return Promise.resolve({ upstream, drain, close: () => Promise.resolve() });
});
