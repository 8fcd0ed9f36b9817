/**
 * The page's elements, typed and present, or an error that names what is missing.
 *
 * @module
 */

/** The element that `selector` names below `root`. @throws {TypeError} if there is none of that type. */
export function find<T extends Element>(
  root: ParentNode,
  selector: string,
  type: new () => T,
): T {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${selector}`);
  return found;
}

/** A copy of what the template of this id holds. */
export function stamp(id: string): DocumentFragment {
  const { content } = find(document, `template#${id}`, HTMLTemplateElement);
  return document.importNode(content, true);
}
