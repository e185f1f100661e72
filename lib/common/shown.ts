/** Writes a value as code, for messages: short, and so that it can be copied. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'number':
      // NaN is the result of `object.property += 1` when there is no such property.
      return Number.isNaN(value) ? '…' : String(value);
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${value}n`;
    case 'string':
      return value.length > 40 ? "'…'" : quoted(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? '[…]' : '{…}';
    default:
      return '…';
  }
}

/** A string in single quotes, as in the code of this project. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1);
  return `'${inner.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** The properties of an object, each with its value. */
export function shownObject(properties: object): string {
  const all = Object.entries(properties).map(([key, value]) => `${key}: ${shown(value)}`);
  return `{ ${all.join(', ')} }`;
}
