/** Waits that a signal can end. */

/** Whether the work settled before the signal aborted. The work goes on in either case. */
export function settlesBefore(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    function abort(): void {
      resolve(false);
    }
    function settle(): void {
      signal.removeEventListener('abort', abort);
      resolve(true);
    }
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(settle, settle);
  });
}
