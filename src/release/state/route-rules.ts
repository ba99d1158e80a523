/** Checks of `spec.route` that the schema of the CRD cannot express. Pure. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { NO_WEIGHT, SOME_WEIGHTS } from '../../api/app-release.ts';
import {
  headersOf,
  matchesOf,
  MOST_BACKENDS,
  MOST_MATCHES,
  MOST_MATCHES_OF_RULE,
  MOST_RULES,
  MOST_WEIGHT,
} from '../../api/route.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { serviceName } from '../record/names.ts';

/** The first problem of the route, with the field that it is in; undefined if there is none. */
export function routeProblem(spec: AppReleaseSpec, release: string): string | undefined {
  return (
    spec.route &&
    (needsService(spec) ??
      ports(spec) ??
      weights(spec) ??
      backends(spec, release) ??
      rules(spec) ??
      matches(spec) ??
      headers(spec) ??
      smallParts(spec, release))
  );
}

function needsService({ service }: AppReleaseSpec): string | undefined {
  return service ? undefined : 'spec.route: a route leads to Services: set spec.service';
}

function ports({ route, service }: AppReleaseSpec): string | undefined {
  const names = (service?.ports ?? []).flatMap(({ name }) => name ?? []);
  for (const [index, { port }] of (route?.rules ?? [{}]).entries()) {
    const path = `spec.route.rules[${index}].port`;
    const ways = names.join(', ');
    if (port === undefined && names.length > 1) return `${path}: the Service has several ports: name one of ${ways}`;
    if (port !== undefined && !names.includes(port))
      return `${path}: spec.service.ports has no port named ${port}${names.length > 0 ? `: name one of ${ways}` : ': leave it out'}`;
  }
  return undefined;
}

/** Weights are all given or none: a pool without one would have no share that anybody chose. */
function weights({ stages }: AppReleaseSpec): string | undefined {
  const given = stages.flatMap(({ pools }) => pools).map(({ weight }) => weight);
  if (given.every((weight) => weight === undefined)) return undefined;
  if (given.includes(undefined)) return `spec.stages: ${SOME_WEIGHTS}`;
  return given.some((weight) => weight !== 0) ? undefined : `spec.stages: ${NO_WEIGHT}`;
}

function backends({ stages }: AppReleaseSpec, release: string): string | undefined {
  const pools = stages.flatMap((stage) => stage.pools);
  const count = servicesOf(stages, release).size;
  const second = servicesOf(
    stages.filter(({ exposure }) => exposure !== undefined),
    release,
  ).size;
  if (count + second <= MOST_BACKENDS) return undefined;
  const also = second === 0 ? '' : ` and ${second} more for stages with exposure`;
  return `spec.route: the ${pools.length} pools have ${count} Services${also}, and a rule of a route can refer to ${MOST_BACKENDS}: let pools of one stage share a Service (serviceName), or use several releases`;
}

function servicesOf(stages: AppReleaseSpec['stages'], release: string): Set<string> {
  return new Set(stages.flatMap(({ pools }) => pools.map((pool) => serviceName(release, pool))));
}

/** Each rule stands once more for each stage with a match. */
function rules({ route, stages }: AppReleaseSpec): string | undefined {
  const own = route?.rules?.length ?? 1;
  const matching = stages.filter(({ match }) => match !== undefined).length;
  const count = own * (1 + matching);
  if (count <= MOST_RULES) return undefined;
  return `spec.route.rules: ${own} rules, each also for ${matching} stages with match, are ${count}, and a route can have ${MOST_RULES}: give fewer rules, or match in fewer stages`;
}

function matches({ route, stages }: AppReleaseSpec): string | undefined {
  let whole = 0;
  for (const [index, rule] of (route?.rules ?? [{}]).entries()) {
    const own = matchesOf(rule).length;
    const counts = stages.map(({ match }) => own * (match?.length ?? 0));
    const most = Math.max(...counts);
    if (most > MOST_MATCHES_OF_RULE)
      return `spec.route.rules[${index}].matches: ${own} matches, each with ${most / own} matches of a stage, are ${most}, and a rule can have ${MOST_MATCHES_OF_RULE}: give fewer of either`;
    whole += counts.reduce((sum, count) => sum + count, own);
  }
  if (whole <= MOST_MATCHES || stages.every(({ match }) => match === undefined)) return undefined;
  return `spec.route.rules: with the matches of stages the rules have ${whole} matches, and a route can have ${MOST_MATCHES}: give fewer of either`;
}

/** A match of a stage is added to the headers of each rule, and no two stages may ask for the same. */
function headers({ route, stages }: AppReleaseSpec): string | undefined {
  const seen = new Map<string, string>();
  const ofRules = new Map(
    (route?.rules ?? []).flatMap((rule, index) =>
      matchesOf(rule).flatMap((match) =>
        headersOf(match).flatMap(({ name }) =>
          typeof name === 'string' ? [[name.toLowerCase(), `spec.route.rules[${index}]`] as const] : [],
        ),
      ),
    ),
  );
  for (const [stage, { match = [] }] of stages.entries()) {
    for (const [index, { headers: own }] of match.entries()) {
      const path = `spec.stages[${stage}].match[${index}]`;
      const names = own.map(({ name }) => name.toLowerCase());
      const twice = names.find((name, at) => names.indexOf(name) !== at);
      if (twice !== undefined)
        return `${path}.headers: the header ${twice} is there twice: names of headers have no case`;
      const taken = names.find((name) => ofRules.has(name));
      if (taken !== undefined)
        return `${path}.headers: ${ofRules.get(taken) ?? ''} matches the header ${taken} already: match another header`;
      const key = canonicalJson(
        own
          .map(({ name, value, type }) => [name.toLowerCase(), value, type])
          .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      );
      const other = seen.get(key);
      if (other !== undefined) return `${path}: ${other} is the same: let each stage match other headers`;
      seen.set(key, path);
    }
  }
  return undefined;
}

/** Written weights whose part in a step would round to 0. Sizes as weights change, and get at least 1. */
function smallParts({ stages }: AppReleaseSpec, release: string): string | undefined {
  const pools = stages.flatMap((stage) => stage.pools);
  if (pools.some(({ weight }) => weight === undefined)) return undefined;
  const weightOf = (service: string) =>
    pools.reduce((sum, pool) => sum + (serviceName(release, pool) === service ? (pool.weight ?? 0) : 0), 0);
  const largest = Math.max(...[...servicesOf(stages, release)].map(weightOf));
  const fit = MOST_WEIGHT / Math.max(1, largest);
  const factor = fit < 1 ? fit : Math.floor(fit);
  for (const [stage, own] of stages.entries()) {
    for (const service of servicesOf([own], release)) {
      const weight = weightOf(service);
      for (const [index, { percent }] of (own.exposure ?? []).entries()) {
        const part = Math.min(...[percent, 100 - percent].filter((one) => one > 0));
        const exact = (weight * factor * part) / 100;
        if (weight === 0 || exact >= 0.5) continue;
        return `spec.stages[${stage}].exposure[${index}].percent: ${part}% of the weight ${weight} of Service ${service}, beside a largest weight of ${largest}, is ${Number(exact.toFixed(3))} in a route whose weights end at ${MOST_WEIGHT}, and rounds to 0: give it a larger weight, or a larger part`;
      }
    }
  }
  return undefined;
}
