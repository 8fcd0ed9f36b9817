import { staticGroups } from "../../../backbone/registry/static.ts";
import { testGroupTable } from "./group_table_contract.ts";

testGroupTable("static table", (count) => {
  return Promise.resolve({ table: staticGroups(count), close: () => Promise.resolve() });
});
