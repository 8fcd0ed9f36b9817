const plugin: Deno.lint.Plugin = { name: "groundwave", rules: {} };
export default plugin;
