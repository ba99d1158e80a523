/** Configuration by flags and environment variables. A flag wins over its variable. */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { parseNetwork } from '../registry/networks.ts';

export interface Address {
  host: string;
  port: number;
}

/** Times are in milliseconds. */
export interface Config {
  /** Empty: all namespaces. */
  namespace: string[];
  /** Namespaces whose pods may run on every VM. */
  systemNamespace: string[];
  workers: number;
  leaderElect: boolean;
  leaseName: string;
  leaseNamespace: string;
  leaseDuration: number;
  renewDeadline: number;
  retryPeriod: number;
  /** Absent: not served. */
  healthAddress?: Address;
  metricsAddress?: Address;
  /** Whether each pool of a release has series of its own. */
  metricsPerPool: boolean;
  logLevel: LogLevel;
  /** Whether the operator may read the pods' pull secrets. */
  readPullSecrets: boolean;
  /** Whether releases may have routes of the Gateway API. */
  routes: boolean;
  registryDockerConfig?: string;
  registryCaFile?: string;
  insecureRegistry: string[];
  registryPrivateNetworks: 'allow' | 'deny';
  registryAllowNetwork: string[];
  registryTokenServer: string[];
  /** 0: never. */
  registryRecheckInterval: number;
  /** Absent: found as kubectl does, then the pod's service account. */
  kubeconfig?: string;
  context?: string;
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `help` and `version`: the user asked for it. `invalid`: each problem names the flag and the correct form. */
export type ParsedConfig =
  { kind: 'config'; config: Config } | { kind: 'help' } | { kind: 'version' } | { kind: 'invalid'; problems: string[] };

type Environment = Readonly<Record<string, string | undefined>>;

interface Option {
  /** Placeholder for the value in the help. */
  value: string;
  help: string;
  /** The default, as a user would type it. */
  initial?: string;
  /** May be given several times; the variable separates values by commas. */
  repeatable?: true;
}

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const MAX_PORT = 65_535;

const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h)$/, { error: 'must be a number with a unit: 500ms, 15s, 10m, 1h', abort: true })
  .transform((text) => Number.parseInt(text, 10) * UNITS_MS[text.replace(/^\d+/, '') as keyof typeof UNITS_MS]);

const workers = z
  .string()
  .regex(/^\d+$/, { error: 'must be a whole number from 1 to 100', abort: true })
  .transform(Number)
  .pipe(z.number().min(1, 'must be at least 1').max(100, 'must be at most 100'));

const boolean = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be the name of a Kubernetes object: lower case, digits, - and .');

const address = z.string().transform((text, context): Address | undefined => {
  if (text === 'off') return undefined;
  const parts = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(text)?.groups;
  const port = Number(parts?.port ?? Number.NaN);
  if (port <= MAX_PORT) return { host: parts?.v6 ?? parts?.host ?? '', port };
  context.addIssue('must be HOST:PORT, :PORT for all addresses, or off');
  return z.NEVER;
});

const network = z
  .string()
  .refine(
    (cidr) => parseNetwork(cidr) !== undefined,
    'must be a network or an address: 10.1.0.0/16, fd00::/8, 10.1.2.3',
  );

const host = z
  .string()
  .regex(/^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/, 'must be HOST or HOST:PORT, without a scheme');

const text = z.string().min(1, 'must not be empty');

const schema = z
  .object({
    namespace: z.array(name).transform((names) => [...new Set(names)]),
    systemNamespace: z.array(name).transform((names) => [...new Set(names)]),
    workers,
    leaderElect: boolean,
    leaseName: name,
    leaseNamespace: name,
    leaseDuration: duration,
    renewDeadline: duration,
    retryPeriod: duration,
    healthAddress: address,
    metricsAddress: address,
    metricsPerPool: boolean,
    logLevel: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
    readPullSecrets: boolean,
    routes: boolean,
    registryDockerConfig: text.optional(),
    registryCaFile: text.optional(),
    insecureRegistry: z.array(text),
    registryPrivateNetworks: z.enum(['allow', 'deny'], 'must be allow or deny'),
    registryAllowNetwork: z.array(network),
    registryTokenServer: z.array(host),
    registryRecheckInterval: duration,
    kubeconfig: text.optional(),
    context: text.optional(),
  })
  .refine(({ leaseDuration, renewDeadline }) => leaseDuration > renewDeadline, {
    path: ['leaseDuration'],
    message: 'must be longer than --renew-deadline',
  })
  .refine(({ renewDeadline, retryPeriod }) => renewDeadline > retryPeriod, {
    path: ['renewDeadline'],
    message: 'must be longer than --retry-period',
  })
  // A Lease counts in whole seconds.
  .refine(({ leaseDuration }) => leaseDuration >= 1_000, { path: ['leaseDuration'], message: 'must be at least 1s' });

type Name = keyof z.input<typeof schema>;

const OPTIONS: Readonly<Record<Name, Option>> = {
  namespace: {
    value: 'NAME',
    help: 'Watch only this namespace; may be given several times. Default: all',
    repeatable: true,
  },
  systemNamespace: {
    value: 'NAME',
    help: 'A namespace whose pods may run on every VM, whatever the tenants; may be given several times',
    initial: 'kube-system',
    repeatable: true,
  },
  workers: { value: 'N', help: 'Releases that are reconciled at the same time', initial: '16' },
  leaderElect: {
    value: 'BOOL',
    help: 'Work only while holding a Lease; required for more than one replica',
    initial: 'true',
  },
  leaseName: { value: 'NAME', help: 'Name of the Lease', initial: 'apprelease-operator' },
  leaseNamespace: {
    value: 'NAME',
    help: 'Namespace of the Lease. Default: $POD_NAMESPACE',
    initial: 'apprelease-system',
  },
  leaseDuration: {
    value: 'TIME',
    help: 'Other replicas take over when the Lease was not renewed for this long',
    initial: '15s',
  },
  renewDeadline: {
    value: 'TIME',
    help: 'A leader gives up when it could not renew the Lease for this long',
    initial: '10s',
  },
  retryPeriod: { value: 'TIME', help: 'Time between attempts to acquire or renew the Lease', initial: '2s' },
  healthAddress: { value: 'HOST:PORT', help: 'Address for /healthz and /readyz, or off', initial: ':8081' },
  metricsAddress: { value: 'HOST:PORT', help: 'Address for /metrics, or off', initial: ':8080' },
  metricsPerPool: {
    value: 'BOOL',
    help: 'Export metrics of each pool of a release; false: only of releases',
    initial: 'true',
  },
  logLevel: { value: 'LEVEL', help: LOG_LEVELS.join(', '), initial: 'info' },
  readPullSecrets: {
    value: 'BOOL',
    help: "Resolve tags with the pods' pull secrets; false: only with --registry-docker-config",
    initial: 'true',
  },
  routes: {
    value: 'BOOL',
    help: 'Keep the routes of spec.route; false: the operator needs no rights on HTTPRoutes and GRPCRoutes',
    initial: 'true',
  },
  registryDockerConfig: {
    value: 'FILE',
    help: "Docker config.json with credentials for registries, tried after the pods' pull secrets",
  },
  registryCaFile: { value: 'FILE', help: 'Certificates (PEM) to trust for registries, besides the default ones' },
  insecureRegistry: {
    value: 'HOST[:PORT]',
    help: 'A registry that may be reached over plain HTTP; may be given several times',
    repeatable: true,
  },
  registryPrivateNetworks: {
    value: 'allow|deny',
    help: 'Whether registries and token servers may have addresses of private networks',
    initial: 'allow',
  },
  registryAllowNetwork: {
    value: 'CIDR',
    help: 'A network that registries may be in although it is refused; may be given several times',
    repeatable: true,
  },
  registryTokenServer: {
    value: 'HOST[:PORT]',
    help: "A token server on another domain than its registry that may get the operator's own credentials; may be given several times",
    repeatable: true,
  },
  registryRecheckInterval: {
    value: 'TIME',
    help: 'Time between checks whether the tag of a pinned image has moved; 0s: never',
    initial: '1h',
  },
  kubeconfig: { value: 'FILE', help: "Default: as kubectl finds it, then the pod's service account" },
  context: { value: 'NAME', help: 'Context of the kubeconfig. Default: its current context' },
};

const NAMES = Object.keys(OPTIONS) as Name[];

function flagOf(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function variableOf(option: string): string {
  return `APPRELEASE_${flagOf(option).replaceAll('-', '_').toUpperCase()}`;
}

/** Reads the flags (without the program name) and the environment. */
export function parseConfig(args: readonly string[], environment: Environment): ParsedConfig {
  const flags = readFlags(args);
  if (flags.asked !== undefined) return { kind: flags.asked };
  if (flags.problems.length > 0) return { kind: 'invalid', problems: flags.problems };
  const given = NAMES.map(
    (option) => [option, flags.values.get(option) ?? fromEnvironment(option, environment)] as const,
  );
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return { kind: 'config', config: withoutUndefined(result.data) };
  const problems = result.error.issues.map(({ path, message }) => {
    const option = path[0] as Name;
    const isVariable = !flags.values.has(option) && Boolean(environment[variableOf(option)]);
    const value = given.find(([name]) => name === option)?.[1];
    return `${isVariable ? variableOf(option) : `--${flagOf(option)}`}=${String(value)} ${message}`;
  });
  return { kind: 'invalid', problems };
}

interface Flags {
  asked?: 'help' | 'version';
  values: Map<Name, string | string[]>;
  problems: string[];
}

function readFlags(args: readonly string[]): Flags {
  const flags: Flags = { values: new Map(), problems: [] };
  const byFlag = new Map(NAMES.map((option) => [flagOf(option), option]));
  const { tokens } = parseArgs({
    args: args.map((arg) => (arg === '--leader-elect' ? '--leader-elect=true' : arg)),
    options: {
      ...Object.fromEntries(NAMES.map((option) => [flagOf(option), { type: 'string' as const }])),
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'positional') flags.problems.push(`"${token.value}": takes no arguments, only flags`);
    if (token.kind !== 'option') continue;
    const option = byFlag.get(token.name);
    if (token.name === 'help' || token.name === 'version') flags.asked ??= token.name;
    else if (!option) flags.problems.push(unknownFlag(token.rawName));
    else if (token.value === undefined) flags.problems.push(`--${token.name} needs a value: ${OPTIONS[option].value}`);
    else setFlag(flags.values, option, token.value);
  }
  return flags;
}

function setFlag(values: Flags['values'], option: Name, value: string): void {
  const before = values.get(option);
  values.set(option, OPTIONS[option].repeatable ? [...(Array.isArray(before) ? before : []), value] : value);
}

function unknownFlag(flag: string): string {
  const known = NAMES.map((option) => `--${flagOf(option)}`);
  return `${flag} is not known: the flags are ${[...known, '--help', '--version'].join(', ')}`;
}

function fromEnvironment(option: Name, environment: Environment): string | string[] | undefined {
  const { initial, repeatable } = OPTIONS[option];
  const fallback = option === 'leaseNamespace' ? (environment.POD_NAMESPACE ?? initial) : initial;
  // An empty variable counts as not set, because manifests cannot omit it.
  const value = environment[variableOf(option)] || fallback;
  return repeatable ? (value ?? '').split(',').filter((part) => part !== '') : value;
}

function withoutUndefined(values: z.output<typeof schema>): Config {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as unknown as Config;
}

/** The output of --help. */
export function helpText(): string {
  const rows = NAMES.map((option) => {
    const { value, help, initial } = OPTIONS[option];
    return [`--${flagOf(option)} ${value}`, initial === undefined ? help : `${help} (${initial})`] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return [
    'The AppRelease operator.',
    '',
    'Flags, with defaults in brackets. Each flag has a variable, such as APPRELEASE_LOG_LEVEL for --log-level.',
    ...[...rows, ['--help', 'Print this'] as const, ['--version', 'Print the version'] as const].map(
      ([flag, help]) => `  ${flag.padEnd(width)}  ${help}`,
    ),
  ].join('\n');
}
