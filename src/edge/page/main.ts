import { connect } from "../../client/mod.ts";
document.title = connect();
