/** Texts that several views share. */
import { count, plural } from './format';

export const KERNEL_GONE = 'The kernel has left; this is the last it said.';

/** Stands where a value is absent. */
export const NO_VALUE = '–';

/** Joins the parts that there are: (["lr", "", "3 s"]) -> "lr · 3 s" */
export function joinText(parts: (string | false | null)[], separator = ' · '): string {
  return parts.filter(Boolean).join(separator);
}

/** "and 12 more" where a list of `total` is cut at `limit`, else nothing. */
export function moreText(total: number, limit: number, unit = ''): string {
  const hidden = total - limit;
  return hidden > 0 ? `and ${count(hidden)} more${unit && ` ${plural(unit, hidden)}`}` : '';
}

/** "40 earlier lines not shown", or nothing */
export function hiddenLinesText(hidden: number, write: (value: number) => string = count): string {
  return hidden ? `${write(hidden)} earlier ${plural('line', hidden)} not shown` : '';
}
