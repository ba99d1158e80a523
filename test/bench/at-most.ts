/**
 * Calls `send` for every item, at most `limit` at a time: what a busy pipeline does. A few hundred requests that cost the
 * API server much, such as new Services, would time out in its queues.
 */
export async function atMost<Item>(
  limit: number,
  items: readonly Item[],
  send: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await send(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
