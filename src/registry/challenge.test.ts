// WWW-Authenticate headers of registries.
import { describe, expect, it } from 'vitest';
import { parseChallenges } from './challenge.ts';

function parse(header: string | string[] | undefined) {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe('parseChallenges', () => {
  it.each<[string, string | string[] | undefined, unknown[]]>([
    ['no header', undefined, []],
    ['an empty header', '', []],
    ['a scheme alone', 'Negotiate', [['negotiate', {}]]],
    ['basic', 'Basic realm="Registry Realm"', [['basic', { realm: 'Registry Realm' }]]],
    [
      "the token specification's example",
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:samalba/my-app:pull,push"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:samalba/my-app:pull,push',
          },
        ],
      ],
    ],
    [
      'RFC 6750 error',
      'Bearer realm="example", error="invalid_token", error_description="The token expired"',
      [['bearer', { realm: 'example', error: 'invalid_token', error_description: 'The token expired' }]],
    ],
    ['unquoted values and odd spaces', 'BEARER  Realm = x ,service=y', [['bearer', { realm: 'x', service: 'y' }]]],
    ['escapes', String.raw`Basic realm="a \"b\" \\c"`, [['basic', { realm: String.raw`a "b" \c` }]]],
    [
      'two challenges in one header (RFC 9110)',
      'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
      [
        ['newauth', { realm: 'apps', type: '1', title: 'Login to "apps"' }],
        ['basic', { realm: 'simple' }],
      ],
    ],
    [
      'two headers',
      ['Bearer realm="a"', 'Basic realm="b"'],
      [
        ['bearer', { realm: 'a' }],
        ['basic', { realm: 'b' }],
      ],
    ],
    [
      'token68',
      'Negotiate a87421000492aa874209af8bc028==, Basic realm="b"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'b' }],
      ],
    ],
    ['empty list elements', ', ,Basic realm="b", ,', [['basic', { realm: 'b' }]]],
    [
      'challenges after invalid text are dropped',
      'Basic realm="b", "x", Bearer realm="c"',
      [['basic', { realm: 'b' }]],
    ],
    ['an unterminated quote', 'Bearer realm="https://x', [['bearer', {}]]],
  ])('%s', (_, header, expected) => {
    expect(parse(header)).toEqual(expected);
  });

  it('reads a hostile header in linear time', () => {
    expect(parse(`Bearer realm="${'\\'.repeat(50_001)}`)).toEqual([['bearer', {}]]);
    expect(parse('Basic, '.repeat(20_000)).length).toBe(20_000);
  });
});
