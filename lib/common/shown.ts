/** How messages write values, as code: short, and for people to copy. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'number':
      // What comes of `object.property += 1` where there is no property.
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

/** A string, in the quotes that code has here. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1);
  return `'${inner.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** An object's properties, each with its value. */
export function shownObject(properties: object): string {
  const all = Object.entries(properties).map(([key, value]) => `${key}: ${shown(value)}`);
  return `{ ${all.join(', ')} }`;
}
