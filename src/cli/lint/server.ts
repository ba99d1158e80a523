/** Asks the API server for its verdict on an object: schema, CEL rules on changes, policies and webhooks, without storing it. */
import { API_VERSION } from '../../api/meta.ts';
import { getIfThere } from '../../kube/client.ts';
import type { KubeError } from '../../kube/errors.ts';
import { isKubeError, isRefusal, serverText } from '../../kube/errors.ts';
import type { KubeObject, Live, Named, Resource } from '../../kube/types.ts';
import type { Session } from '../session.ts';
import { FIELD_MANAGER } from '../session.ts';
import type { OwnObject } from './lint.ts';
import type { Fault } from './schema-rules.ts';
import { pathOf } from './documents.ts';

export interface Verdict {
  readonly faults: readonly Fault[];
  /** The object as it would be stored, with its defaults. */
  readonly accepted?: Live<KubeObject>;
  /** The object as it is now. */
  readonly before?: Live<KubeObject>;
}

/** @throws KubeError if the server cannot answer, or the user may not apply the object */
export async function askServer(
  { client, namespace }: Pick<Session, 'client' | 'namespace'>,
  { kind, value }: OwnObject,
): Promise<Verdict> {
  const resource: Resource = {
    apiVersion: API_VERSION,
    kind: kind.kind,
    plural: kind.plural,
    namespaced: kind.scope === 'Namespaced',
  };
  const name = value.metadata?.name ?? '';
  const metadata = {
    ...value.metadata,
    name,
    ...(resource.namespaced && { namespace: value.metadata?.namespace ?? namespace }),
  };
  const object: Named<KubeObject> = { ...value, apiVersion: API_VERSION, kind: kind.kind, metadata };
  try {
    const [before, accepted] = await Promise.all([
      getIfThere(client, resource, metadata),
      client.apply(resource, object, { fieldManager: FIELD_MANAGER, force: true, dryRun: true }),
    ]);
    return { faults: [], accepted, ...(before && { before }) };
  } catch (error) {
    if (!isKubeError(error) || !isRefusal(error)) throw error;
    return { faults: faultsOf(error) };
  }
}

/** One fault for each field that the server names; the whole text otherwise. */
function faultsOf(error: KubeError): Fault[] {
  const named = error.causes.filter(({ field }) => field !== undefined && field !== '<nil>');
  if (named.length === 0) return [{ path: [], message: serverText(error) }];
  return named.map(({ field = '', message = '' }) => ({ path: pathOf(field), message }));
}
