import { freeLan, startTestRelay } from "../support/relays.ts";
import { testUpstream } from "./protocol/upstream_contract.ts";

testUpstream("in-process upstream", async () => {
  const relay = await startTestRelay(freeLan());
  return { upstream: relay.upstream, drain: () => relay.drain(), close: () => relay.close() };
});
