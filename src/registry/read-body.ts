import type { Dispatcher } from 'undici';

type Body = Dispatcher.ResponseData['body'];

const FIRST_BYTES = 16 * 1024;

/**
 * Reads a body without decompressing it. If it is larger than the limit, or announced to be, returns undefined and closes
 * the connection.
 * The chunks are copied into one buffer: a body in chunks of one byte would otherwise occupy millions of buffers.
 */
export async function readBody(body: Body, maxBytes: number, contentLength: number): Promise<Buffer | undefined> {
  if (contentLength > maxBytes) {
    await body.dump({ limit: maxBytes });
    return undefined;
  }
  let buffer = Buffer.allocUnsafe(Math.min(FIRST_BYTES, maxBytes));
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const needed = length + chunk.length;
    if (needed > maxBytes) return undefined;
    if (needed > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.min(Math.max(needed, 2 * buffer.length), maxBytes));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    chunk.copy(buffer, length);
    length = needed;
  }
  return buffer.subarray(0, length);
}
