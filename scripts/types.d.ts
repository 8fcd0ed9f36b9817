// Types of what npm packages leave untyped. Empty while everything imported brings its own.
export {};
