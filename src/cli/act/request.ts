/** Creates ReleaseRollbacks and ReleasePromotions, and tells what the operator answers. */
import type { Condition } from '../../api/common.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { ExitCode } from '../exit-codes.ts';
import { EXIT } from '../exit-codes.ts';
import { printList, printObject } from '../print/output.ts';
import type { RequestState } from '../read/request-progress.ts';
import { requestState } from '../read/request-progress.ts';
import type { Session } from '../session.ts';
import { FIELD_MANAGER } from '../session.ts';
import type { ActOptions, WaitOptions } from './command.ts';
import type { Progress } from './follow.ts';
import { followObjects } from './follow.ts';
import { doneText, objectName, tellTo } from './tell.ts';

/** How long an answer of the operator is awaited without --wait (ms). */
const ANSWER_MS = 2000;

export type Request = KubeObject & {
  spec: { release: string };
  status?: { conditions?: Condition[] | undefined };
};

export interface Requests<T extends Request> {
  readonly resource: Resource<T>;
  readonly specs: readonly T['spec'][];
  readonly options: ActOptions & WaitOptions;
  /** Texts about a state that were not told before. */
  readonly news?: (before: Live<T>, now: Live<T>) => string[];
}

/** Creates an object for each spec, side by side, and follows them as the options say. */
export async function makeRequests<T extends Request>(session: Session, requests: Requests<T>): Promise<ExitCode> {
  const { io } = session;
  const { resource, specs, options } = requests;
  const created = await Promise.allSettled(specs.map((spec) => create(session, resource, spec, options)));
  const objects = created.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failure = created.find((one) => one.status === 'rejected');
  if (options.output === undefined) for (const object of objects) io.out(doneText(object, 'created', options));
  const { states, code } =
    options.dryRun === 'server' || objects.length === 0
      ? { states: objects, code: EXIT.ok }
      : await follow(session, objects, requests);
  const { output } = options;
  const [only, ...others] = states;
  if (output !== undefined && only) io.out(others.length === 0 ? printObject(output, only) : printList(output, states));
  // After what was done is told.
  if (failure) throw failure.reason;
  return code;
}

function create<T extends Request>(
  { client, namespace }: Session,
  resource: Resource<T>,
  spec: T['spec'],
  { dryRun }: ActOptions,
): Promise<Live<T>> {
  const { apiVersion, kind } = resource;
  const object = { apiVersion, kind, metadata: { generateName: `${spec.release}-`, namespace }, spec };
  return client.create(resource, object as unknown as T & typeof object, {
    fieldManager: FIELD_MANAGER,
    fieldValidation: 'Strict',
    dryRun: dryRun === 'server',
  });
}

async function follow<T extends Request>(
  session: Session,
  objects: readonly Live<T>[],
  { resource, options, news = () => [] }: Requests<T>,
): Promise<{ states: Live<T>[]; code: ExitCode }> {
  const { io } = session;
  const { wait = false, timeout } = options;
  const tell = tellTo(io, options);
  const states = new Map(objects.map((object) => [object.metadata.name, object]));
  const ends = new Map<string, RequestState>();
  const told = new Map<string, string>();
  function say(object: Live<T>, text: string): void {
    tell(`${objectName(object)} ${text}\n`);
  }
  const end = await followObjects(session, {
    resource,
    objects,
    timeoutMs: wait ? timeout * 1000 : ANSWER_MS,
    onState: (name, object): Progress => {
      const before = states.get(name);
      if (!before) return 'Done';
      if (!object) {
        ends.set(name, { is: 'Over', message: 'it was deleted' });
        return 'Done';
      }
      states.set(name, object);
      const state = requestState(object);
      ends.set(name, state);
      for (const text of wait ? news(before, object) : []) say(object, text);
      if (state.is === 'Open') return 'More';
      if (!wait) return state.is === 'Person' ? 'Settles' : 'Done';
      if (state.is === 'Accepted') {
        if (told.get(name) !== state.message) say(object, `accepted: ${state.message}`);
        told.set(name, state.message);
        return 'More';
      }
      return state.is === 'Person' ? 'Settles' : 'Done';
    },
  });
  const last = [...states.values()];
  if (end === 'NotAllowed') {
    session.notShown(`the answer of the operator`, `you have no right to get ${resource.plural}`);
    return { states: last, code: wait ? EXIT.failed : EXIT.ok };
  }
  const codes = last.map((object) => tellEnd(io, object, ends.get(object.metadata.name), { wait, say }));
  return { states: last, code: worstOf(codes) };
}

interface EndOptions<T> {
  readonly wait: boolean;
  readonly say: (object: Live<T>, text: string) => void;
}

function tellEnd<T extends Request>(
  io: Pick<Session['io'], 'err'>,
  object: Live<T>,
  state: RequestState = { is: 'Open', message: 'the operator has not answered yet' },
  { wait, say }: EndOptions<T>,
): ExitCode {
  const name = objectName(object);
  switch (state.is) {
    case 'Complete':
      say(object, `complete: ${state.message}`);
      return EXIT.ok;
    case 'Rejected':
      io.err(`error: ${name} was rejected: ${state.message}\n`);
      return EXIT.failed;
    case 'Over':
      io.err(`error: ${name} is over: ${state.message}\n`);
      return EXIT.failed;
    case 'Person':
      if (wait) io.err(`error: ${name} waits for a person: ${state.message}\n`);
      else say(object, `waits: ${state.message}`);
      return wait ? EXIT.waitsForPerson : EXIT.ok;
    case 'Accepted':
      if (wait) io.err(`error: ${name} is not complete in time: ${state.message}\n`);
      else say(object, `accepted: ${state.message}`);
      return wait ? EXIT.timedOut : EXIT.ok;
    case 'Open':
      if (wait) io.err(`error: ${name} was not answered in time: ${state.message}\n`);
      else io.err(`${name}: ${state.message}\n`);
      return wait ? EXIT.timedOut : EXIT.ok;
  }
}

/** A failure counts more than a wait for a person, and that more than the end of the time. */
export function worstOf(codes: readonly ExitCode[]): ExitCode {
  const order: readonly ExitCode[] = [EXIT.failed, EXIT.waitsForPerson, EXIT.timedOut];
  return order.find((code) => codes.includes(code)) ?? EXIT.ok;
}
