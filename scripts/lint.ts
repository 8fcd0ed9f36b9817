/**
 * House rules as a lint plugin: the layers of DESIGN "Three floors", no ambient time, randomness or runtime where code
 * has to run under a simulator or on any runtime, and no module-level state.
 *
 * @module
 */

/** One row of the table "Three floors": a place in the tree, what it may import of ours, and what it may not name. */
interface Zone {
  /** Longest matching prefix wins: the zone of a folder stops where another begins. */
  readonly path: string;
  /** The zones it may import; itself always. */
  readonly imports: readonly string[];
  /** `nothing`: the platform is its business. `clock`: time and chance are handed in. `all`: no runtime either. */
  readonly bans: "nothing" | "clock" | "all";
}

const ZONES: readonly Zone[] = [
  { path: "relay/protocol/", imports: [], bans: "all" },
  { path: "relay/machines/", imports: ["relay/protocol/"], bans: "all" },
  { path: "relay/", imports: ["relay/protocol/", "relay/machines/", "backbone/"], bans: "clock" },
  { path: "backbone/pgm/", imports: [], bans: "all" },
  { path: "backbone/", imports: ["backbone/pgm/"], bans: "clock" },
  { path: "src/edge/", imports: ["relay/protocol/"], bans: "all" },
  { path: "src/edge/adapters/", imports: ["src/edge/", "relay/protocol/"], bans: "nothing" },
  { path: "src/edge/page/", imports: ["src/client/", "relay/protocol/"], bans: "nothing" },
  { path: "src/client/", imports: ["relay/protocol/"], bans: "all" },
  {
    path: "src/cli/",
    imports: [
      "src/edge/",
      "src/edge/adapters/",
      "src/client/",
      "relay/",
      "relay/protocol/",
      "backbone/",
      "backbone/pgm/",
    ],
    bans: "nothing",
  },
  { path: "src/main.ts", imports: ["src/cli/"], bans: "nothing" },
];

/** The files that turn the platform into what the others are handed. */
const PLATFORM_FILES: readonly string[] = [
  "backbone/clock.ts",
  "backbone/reader.ts",
  "backbone/udp.ts",
  "relay/new_names.ts",
  "src/client/platform.ts",
];

const CLOCK: ReadonlyMap<string, string> = new Map([
  ["Date", "take the time as a parameter (`nowMs`)"],
  ["performance", "take the time as a parameter (`nowMs`)"],
  ["setTimeout", "say when to be woken, or take a Clock"],
  ["setInterval", "say when to be woken, or take a Clock"],
  ["setImmediate", "say when to be woken, or take a Clock"],
  ["clearTimeout", "say when to be woken, or take a Clock"],
  ["clearInterval", "say when to be woken, or take a Clock"],
  ["AbortSignal.timeout", "take a Clock"],
  ["Math.random", "take a `random: () => number`"],
  ["crypto.getRandomValues", "take a `random: () => number`"],
  ["crypto.randomUUID", "take a `random: () => number`"],
  ["console", "take a `log` function"],
]);

const RUNTIME: ReadonlyMap<string, string> = new Map([
  ...CLOCK,
  ["Deno", "put it in an adapter or driver and hand it in"],
  ["process", "put it in an adapter or driver and hand it in"],
  ["Buffer", "use Uint8Array"],
  ["globalThis", "name what is needed, or have it handed in"],
  ["window", "name what is needed, or have it handed in"],
  ["eval", "write the code out"],
]);

const BANNED: Readonly<Record<Zone["bans"], ReadonlyMap<string, string>>> = {
  nothing: new Map(),
  clock: CLOCK,
  all: RUNTIME,
};

const plugin: Deno.lint.Plugin = {
  name: "groundwave",
  rules: {
    layers: { create: layers },
    ambient: { create: ambient },
    "module-state": { create: moduleState },
    "remote-import": { create: remoteImport },
  },
};
export default plugin;

type Context = Deno.lint.RuleContext;
type Visitor = Deno.lint.LintVisitor;
type Node = Deno.lint.Node;

/** Imports run downwards only. */
function layers(context: Context): Visitor {
  const file = treePath(context.filename), zone = zoneOf(file);
  if (!zone) return {};
  return onImport((specifier, node) => {
    if (specifier.startsWith("node:") && zone.bans === "all") {
      context.report({
        node,
        message: `${zone.path} runs on any runtime and may not import "${specifier}"`,
        hint: "Put it in an adapter or driver and hand it in.",
      });
    }
    if (!specifier.startsWith(".")) return;
    const target = resolve(file, specifier), home = zoneOf(target);
    // Data files beside the zones, such as deno.json, are nobody's layer.
    if (!home && target.endsWith(".json")) return;
    if (home && [zone.path, ...zone.imports].includes(home.path)) return;
    const may = [zone.path, ...zone.imports].join(", ");
    context.report({
      node,
      message: `${zone.path} may not import ${target}`,
      hint:
        `Imports run downwards: from here only ${may}. Have it handed in, or move what is shared down.`,
    });
  });
}

/** Names of the platform that a zone may not use. */
function ambient(context: Context): Visitor {
  const file = treePath(context.filename);
  const banned = BANNED[zoneOf(file)?.bans ?? "nothing"];
  if (banned.size === 0 || PLATFORM_FILES.includes(file)) return {};
  // Keyed by place: the name in `{ setTimeout }` is visited as key and as value.
  const own = new Set<string>(), used = new Map<number, [string, Node]>();
  return {
    Identifier(node) {
      if (isBinding(node)) own.add(node.name);
      else if (isReference(node)) used.set(node.range[1], [node.name, node]);
    },
    MemberExpression(node) {
      const name = memberName(node);
      if (name && banned.has(name)) used.set(node.range[1], [name, node]);
    },
    "Program:exit"() {
      for (const [name, node] of used.values()) {
        const instead = own.has(name) ? undefined : banned.get(name);
        if (instead === undefined) continue;
        context.report({
          node,
          message: `\`${name}\` is ambient here`,
          hint: `Rather ${instead}.`,
        });
      }
    },
  };
}

/** State belongs to an object that somebody made, so that two of them can live in one process. */
function moduleState(context: Context): Visitor {
  if (!zoneOf(treePath(context.filename))) return {};
  const check = (node: Node) => {
    if (node.type !== "VariableDeclaration" || node.declare) return;
    const mutable = node.kind === "let" || node.kind === "var" ||
      node.declarations.some(isEmptyContainer);
    if (!mutable) return;
    context.report({
      node,
      message: "Module-level state",
      hint: "Keep it in an object or closure made by a function; constants are `const`.",
    });
  };
  return {
    Program(program) {
      for (const node of program.body) {
        check(node.type === "ExportNamedDeclaration" && node.declaration ? node.declaration : node);
      }
    },
  };
}

/** Everything comes from the tree or, pinned, from deno.json. */
function remoteImport(context: Context): Visitor {
  return onImport((specifier, node) => {
    if (!/^(jsr|npm|https?|data|blob):/.test(specifier)) return;
    context.report({
      node,
      message: `"${specifier}" is imported by address`,
      hint: "Name an npm package, pinned, in the imports of deno.json and use its bare name.",
    });
  });
}

function onImport(check: (specifier: string, node: Node) => void): Visitor {
  const literal = (source: Node | null) => {
    if (source?.type === "Literal" && typeof source.value === "string") check(source.value, source);
  };
  return {
    ImportDeclaration: (node) => literal(node.source),
    ExportAllDeclaration: (node) => literal(node.source),
    ExportNamedDeclaration: (node) => literal(node.source),
    ImportExpression: (node) => literal(node.source),
    TSImportType(node) {
      if (node.argument.type === "TSLiteralType") literal(node.argument.literal);
    },
  };
}

/** The path from the root of the tree on. Outside the tree: as it is, and so in no zone. */
function treePath(filename: string): string {
  const root = new URL("..", import.meta.url).pathname;
  const path = filename.replaceAll("\\", "/").replace(/^file:\/\//, "");
  return path.startsWith(root) ? path.slice(root.length) : path;
}

function zoneOf(path: string): Zone | undefined {
  let found: Zone | undefined;
  for (const zone of ZONES) {
    if (!path.startsWith(zone.path)) continue;
    if (!found || zone.path.length > found.path.length) found = zone;
  }
  return found;
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function same(a: Node | null | undefined, b: Node): boolean {
  return !!a && a.range[0] === b.range[0] && a.range[1] === b.range[1];
}

/** The place where a name is given: a variable, a parameter, an import. */
function isBinding(node: Deno.lint.Identifier): boolean {
  const parent: Node = node.parent;
  switch (parent.type) {
    case "VariableDeclarator":
      return same(parent.id, node);
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
    case "TSMethodSignature":
    case "TSFunctionType":
    case "ImportSpecifier":
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
    case "ArrayPattern":
    case "RestElement":
      return !("body" in parent) || !same(parent.body as Node, node);
    case "AssignmentPattern":
      return same(parent.left, node);
    case "Property":
      return parent.parent.type === "ObjectPattern" && same(parent.value, node);
    default:
      return false;
  }
}

/** Not merely the name of somebody's property. */
function isReference(node: Deno.lint.Identifier): boolean {
  const parent: Node = node.parent;
  switch (parent.type) {
    case "MemberExpression":
      return parent.computed || !same(parent.property, node);
    case "Property":
      return parent.shorthand || parent.computed || !same(parent.key, node);
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return parent.computed || !same(parent.key, node);
    case "TSEnumMember":
    case "TSQualifiedName":
      return false;
    default:
      return true;
  }
}

/** `Math.random` and `Math["random"]` alike. */
function memberName(
  { object, property, computed }: Deno.lint.MemberExpression,
): string | undefined {
  if (object.type !== "Identifier") return undefined;
  if (!computed && property.type === "Identifier") return `${object.name}.${property.name}`;
  return property.type === "Literal" ? `${object.name}.${property.value}` : undefined;
}

/** `new Map()` without content can only be meant to be filled, unless its type says that nobody may. */
function isEmptyContainer({ id, init }: Deno.lint.VariableDeclarator): boolean {
  const container = init?.type === "NewExpression" && init.callee.type === "Identifier" &&
    CONTAINER.test(init.callee.name) && init.arguments.length === 0;
  if (!container || id.type !== "Identifier" || !id.typeAnnotation) return container;
  const type = id.typeAnnotation.typeAnnotation;
  return type.type === "TSTypeReference" && type.typeName.type === "Identifier" &&
    CONTAINER.test(type.typeName.name);
}

const CONTAINER = /^(Weak)?(Map|Set)$/;
