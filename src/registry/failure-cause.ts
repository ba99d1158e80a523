import { INSECURE } from './failures.ts';
import { ADDRESS_REFUSED } from './guarded-connector.ts';

export function isTooLarge(error: unknown): boolean {
  return findCode(error) === 'UND_ERR_HEADERS_OVERFLOW';
}

/** Why an exchange failed, for the log. Contains only the code of the exception, and an address that was refused. */
export function describeCause(error: unknown): string {
  const code = findCode(error);
  if (/^(UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT|ETIMEDOUT)$/.test(code)) return `no answer in time (${code})`;
  if (isPlainHttp(code, error)) return `the server does not speak TLS (${code}): ${INSECURE}`;
  if (isTls(code))
    return `the certificate or TLS version is not accepted (${code}): give its CA with "--registry-ca-file"`;
  if (code === ADDRESS_REFUSED && error instanceof Error) {
    return `${error.message}: "--registry-allow-network" makes an exception`;
  }
  return code === 'ENOTFOUND' ? `the host is unknown to the operator's DNS (${code})` : code;
}

/** Node's error code, of the error or of its cause. */
function findCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const proxy = /^Proxy response \((\d+)\)/.exec(error.message);
  if (proxy !== null) return `the proxy answered ${proxy[1] ?? ''}`;
  // A connection attempt over several addresses fails with all their errors.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error.cause;
  if (inner instanceof Error && 'code' in inner) return findCode(inner);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function isPlainHttp(code: string, error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return code === 'ERR_SSL_WRONG_VERSION_NUMBER' || (code === 'EPROTO' && message.includes('wrong version number'));
}

function isTls(code: string): boolean {
  return /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO$|HOSTNAME_MISMATCH$|INVALID_CA$)/.test(
    code,
  );
}
