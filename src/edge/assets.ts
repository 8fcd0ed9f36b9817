/**
 * Written by scripts/bundle.ts from src/client and src/edge/page. Do not edit.
 *
 * @module
 */

/** What the edge serves to browsers, by path. */
export const assets: Readonly<Record<string, { readonly type: string; readonly body: string }>> =
  {
  "/": {
    "type": "text/html; charset=utf-8",
    "body": "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Groundwave</title>\n<link rel=\"stylesheet\" href=\"page.css\">\n<script type=\"module\" src=\"page.js\"></script>\n<h1>Groundwave</h1>\n</html>\n"
  },
  "/client.js": {
    "type": "text/javascript; charset=utf-8",
    "body": "var c=()=>\"x\";export{c as connect};\n"
  },
  "/page.js": {
    "type": "text/javascript; charset=utf-8",
    "body": "import{connect as t}from\"./client.js\";document.title=t();\n"
  },
  "/page.css": {
    "type": "text/css; charset=utf-8",
    "body": "body{margin:0}\n"
  }
};
