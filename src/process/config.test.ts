import { describe, expect, test } from 'vitest';
import { helpText, parseConfig } from './config.ts';

function configOf(args: string[], environment: Record<string, string> = {}) {
  const parsed = parseConfig(args, environment);
  if (parsed.kind !== 'config') throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

function problemsOf(args: string[], environment: Record<string, string> = {}): string[] {
  const parsed = parseConfig(args, environment);
  return parsed.kind === 'invalid' ? parsed.problems : [];
}

test('needs no flag', () => {
  expect(configOf([])).toEqual({
    workers: 16,
    leaderElect: true,
    leaseName: 'apprelease-operator',
    leaseNamespace: 'apprelease-system',
    leaseDuration: 15_000,
    renewDeadline: 10_000,
    retryPeriod: 2_000,
    healthAddress: { host: '', port: 8081 },
    metricsAddress: { host: '', port: 8080 },
    metricsPerPool: true,
    namespace: [],
    systemNamespace: ['kube-system'],
    logLevel: 'info',
    readPullSecrets: true,
    routes: true,
    insecureRegistry: [],
    registryPrivateNetworks: 'allow',
    registryAllowNetwork: [],
    registryTokenServer: [],
    registryRecheckInterval: 3_600_000,
  });
});

test('a flag wins over its variable, and the variable over the default', () => {
  const environment = { APPRELEASE_WORKERS: '3', APPRELEASE_LOG_LEVEL: 'debug', APPRELEASE_NAMESPACE: '' };
  expect(configOf(['--workers=5'], environment)).toMatchObject({ workers: 5, logLevel: 'debug' });
  expect(configOf([], environment).namespace).toEqual([]);
});

test('the Lease is in the pod’s namespace, unless a flag names another', () => {
  expect(configOf([], { POD_NAMESPACE: 'ops' }).leaseNamespace).toBe('ops');
  expect(configOf(['--lease-namespace=kube-system'], { POD_NAMESPACE: 'ops' }).leaseNamespace).toBe('kube-system');
});

test('a registry list is a repeated flag, or a variable with commas', () => {
  expect(configOf(['--insecure-registry', 'a:5000', '--insecure-registry=b']).insecureRegistry).toEqual([
    'a:5000',
    'b',
  ]);
  expect(configOf([], { APPRELEASE_INSECURE_REGISTRY: 'a:5000,b' }).insecureRegistry).toEqual(['a:5000', 'b']);
});

test('several namespaces are a repeated flag, or a variable with commas', () => {
  expect(configOf(['--namespace=shop', '--namespace', 'bank', '--namespace=shop']).namespace).toEqual(['shop', 'bank']);
  expect(configOf([], { APPRELEASE_NAMESPACE: 'shop,bank' }).namespace).toEqual(['shop', 'bank']);
});

test.each([
  ['--leader-elect=false', { leaderElect: false }],
  ['--leader-elect', { leaderElect: true }],
  ['--health-address=off', {}],
  ['--health-address=[::1]:0', { healthAddress: { host: '::1', port: 0 } }],
  ['--health-address=127.0.0.1:9', { healthAddress: { host: '127.0.0.1', port: 9 } }],
  ['--registry-private-networks=deny', { registryPrivateNetworks: 'deny' }],
  ['--registry-allow-network=10.1.0.0/16', { registryAllowNetwork: ['10.1.0.0/16'] }],
  ['--registry-token-server=sso.example:8443', { registryTokenServer: ['sso.example:8443'] }],
  ['--registry-recheck-interval=90m', { registryRecheckInterval: 5_400_000 }],
])('%s', (flag, expected) => {
  expect(configOf([flag])).toMatchObject(expected);
  if (flag.endsWith('off')) expect(configOf([flag])).not.toHaveProperty('healthAddress');
});

describe('a mistake is reported with the correct form', () => {
  test.each([
    [['--workers=none'], '--workers=none must be a whole number from 1 to 100'],
    [['--workers=0'], '--workers=0 must be at least 1'],
    [['--workers=1e9'], '--workers=1e9 must be a whole number from 1 to 100'],
    [['--lease-duration=15'], '--lease-duration=15 must be a number with a unit: 500ms, 15s, 10m, 1h'],
    [['--lease-duration=10s'], '--lease-duration=10s must be longer than --renew-deadline'],
    [['--retry-period=1m'], '--renew-deadline=10s must be longer than --retry-period'],
    [['--health-address=8081'], '--health-address=8081 must be HOST:PORT, :PORT for all addresses, or off'],
    [['--health-address=:99999'], '--health-address=:99999 must be HOST:PORT, :PORT for all addresses, or off'],
    [['--log-level=loud'], '--log-level=loud must be one of fatal, error, warn, info, debug, trace'],
    [['--leader-elect=yes'], '--leader-elect=yes must be true or false'],
    [
      ['--namespace=shop', '--namespace=Bank'],
      '--namespace=shop,Bank must be the name of a Kubernetes object: lower case, digits, - and .',
    ],
    [['--read-pull-secrets=no'], '--read-pull-secrets=no must be true or false'],
    [['--registry-private-networks=no'], '--registry-private-networks=no must be allow or deny'],
    [
      ['--registry-allow-network=10.0.0.0/33'],
      '--registry-allow-network=10.0.0.0/33 must be a network or an address: 10.1.0.0/16, fd00::/8, 10.1.2.3',
    ],
    [
      ['--registry-token-server=https://sso.example'],
      '--registry-token-server=https://sso.example must be HOST or HOST:PORT, without a scheme',
    ],
    [['--kubeconfig'], '--kubeconfig needs a value: FILE'],
    [['web'], '"web": takes no arguments, only flags'],
  ])('%j', (args, problem) => {
    expect(problemsOf(args)).toEqual([problem]);
  });

  test('in the environment', () => {
    expect(problemsOf([], { APPRELEASE_WORKERS: 'all' })[0]).toMatch(/^APPRELEASE_WORKERS=all must be /);
  });

  test('an unknown flag', () => {
    expect(problemsOf(['--workes=3'])[0]).toMatch(/^--workes is not known: the flags are .*--workers,/);
  });

  test('all mistakes at once', () => {
    expect(problemsOf(['--workers=0', '--log-level=loud'])).toHaveLength(2);
  });
});

test('--help and --version win over everything', () => {
  expect(parseConfig(['--help', '--workers=0'], {})).toEqual({ kind: 'help' });
  expect(parseConfig(['--version'], {})).toEqual({ kind: 'version' });
  expect(helpText()).toMatch(/--lease-duration TIME .*\(15s\)/);
});
