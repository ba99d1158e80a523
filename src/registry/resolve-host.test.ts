import { expect, it } from 'vitest';
import { createHostResolver } from './resolve-host.ts';

const HOSTS =
  '127.0.0.1 localhost\n# 10.0.0.9 comment.example\n10.0.0.5\tRegistry.Example  alias # note\nfd00::5 registry.example\nnot-an-address x\n';
const RESOLV_CONF =
  'nameserver 10.0.0.2\nsearch shop.svc.cluster.local svc.cluster.local. \noptions ndots:2 timeout:1\n';

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A DNS server with these records; a text that is not an address is the code of an error. */
function resolverOf(records: Readonly<Record<string, string>>, resolvConf = RESOLV_CONF) {
  const asked: string[] = [];
  const answer = (name: string, isFamily: (address: string) => boolean) => {
    const record = records[name] ?? 'ENOTFOUND';
    if (/^E[A-Z]+$/.test(record)) return Promise.reject(failure(record));
    return isFamily(record) ? Promise.resolve([record]) : Promise.reject(failure('ENODATA'));
  };
  const queries = {
    resolve4: (name: string) => {
      asked.push(name);
      return answer(name, (address) => address.includes('.'));
    },
    resolve6: (name: string) => answer(name, (address) => address.includes(':')),
  };
  return { asked, resolve: createHostResolver({ hosts: HOSTS, resolvConf }, queries as never) };
}

it('reads /etc/hosts first', async () => {
  const { asked, resolve } = resolverOf({ 'registry.example': '10.9.9.9' });
  expect(await resolve('REGISTRY.example')).toEqual([
    { address: '10.0.0.5', family: 4 },
    { address: 'fd00::5', family: 6 },
  ]);
  expect(await resolve('localhost')).toEqual([{ address: '127.0.0.1', family: 4 }]);
  expect(asked).toEqual([]);
});

it.each([
  ['registry', ['registry.shop.svc.cluster.local', 'registry.svc.cluster.local', 'registry']],
  ['r.tools', ['r.tools.shop.svc.cluster.local', 'r.tools.svc.cluster.local', 'r.tools']],
  ['a.b.example', ['a.b.example', 'a.b.example.shop.svc.cluster.local', 'a.b.example.svc.cluster.local']],
  ['r.tools.', ['r.tools']],
])('asks for %s in the order of resolv.conf', async (name, expected) => {
  const { asked, resolve } = resolverOf({});
  await expect(resolve(name)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  expect(asked).toEqual(expected);
});

it('uses the first name that has an address, of either family', async () => {
  const { asked, resolve } = resolverOf({ 'r.tools.svc.cluster.local': 'fd00::7', 'r.tools': '10.0.0.7' });
  expect(await resolve('r.tools')).toEqual([{ address: 'fd00::7', family: 6 }]);
  expect(asked).toHaveLength(2);
});

it('asks for the name alone without a search list, and reports what failed', async () => {
  const { asked, resolve } = resolverOf({ 'slow.example': 'ETIMEOUT' }, '');
  await expect(resolve('slow.example')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(asked).toEqual(['slow.example']);
});
