/** The longest text of somebody else that a message repeats. */
const LONGEST = 1000;
/** The end of a chain of errors is often its cause. */
const TAIL = 300;

/** A text of somebody else with a bounded length: its start and its end. */
export function shortened(text: string): string {
  if (text.length <= LONGEST) return text;
  return `${text.slice(0, LONGEST - TAIL).toWellFormed()} … ${text.slice(-TAIL).toWellFormed()}`;
}
