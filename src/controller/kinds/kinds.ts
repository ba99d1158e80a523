/** The table of kinds, one row for each cache. The caches, the caches of the simulation and the RBAC test use it. */
import { LABEL } from '../../api/meta.ts';
import type { Stored } from '../../kube/store.ts';
import type { KubeObject, Live } from '../../kube/types.ts';
import {
  APP_RELEASES,
  isUnanswered,
  PROMOTIONS,
  ROLLBACKS,
  toCachedPromotion,
  toCachedRelease,
  toCachedRollback,
  toCachedVmPool,
  VM_POOLS,
} from './api-kinds.ts';
import { AUTOSCALERS, toCachedAutoscaler } from './autoscalers.ts';
import { indexBudget } from './budget-index.ts';
import { BUDGETS, neighboursOf, toCachedBudget } from './budgets.ts';
import { DEPLOYMENTS, toCachedDeployment } from './deployments.ts';
import { ENDPOINT_SLICES, toCachedSlice } from './endpoint-slices.ts';
import { BUDGET_INDEX, FORMER_INDEX, NAMESPACE_INDEX, NODE_INDEX, releaseOfLabel, releaseOfSpec } from './indexes.ts';
import { NAMESPACES, toCachedNamespace } from './namespaces.ts';
import { NODES, toCachedNode, withSeenReadiness } from './nodes.ts';
import { PLACED, PODS, toCachedPlacedPod, toCachedPod } from './pods.ts';
import { isNewsOfContent, withSameData, withSameSpec } from './reuse.ts';
import { REVISIONS, toCachedRevision } from './revisions.ts';
import { GRPC_ROUTES, HTTP_ROUTES, toCachedRoute } from './routes.ts';
import type { KindRow, RbacVerb } from './row.ts';
import { formerOn, SERVICES, toCachedService } from './services.ts';

/** Checks a row, and infers its types. */
function row<T extends KubeObject, S extends Stored>(kind: KindRow<T, S>): KindRow<T, S> {
  return kind;
}

const WATCHED: readonly RbacVerb[] = ['list', 'watch'];
const READ: readonly RbacVerb[] = ['get', ...WATCHED];
const OWNED: readonly RbacVerb[] = [...READ, 'create', 'patch', 'delete'];

/** Objects that have the label of a release. */
const OURS = {
  labelSelector: LABEL.release,
  matches: ({ metadata }: Live<KubeObject>) => metadata.labels?.[LABEL.release] !== undefined,
};

function routeRow(resource: typeof HTTP_ROUTES) {
  return row({
    resource,
    toCached: toCachedRoute,
    selection: OURS,
    isOptional: true,
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    isNews: isNewsOfContent,
    verbs: OWNED,
  });
}

export const KIND_ROWS = {
  releases: row({
    resource: APP_RELEASES,
    toCached: toCachedRelease,
    reuse: withSameSpec,
    indexes: { [NAMESPACE_INDEX]: ({ metadata }) => [metadata.namespace] },
    tells: 'releases',
    releaseOf: ({ metadata }) => [`${metadata.namespace}/${metadata.name}`],
    verbs: READ,
    statusVerbs: ['patch'],
  }),
  rollbacks: row({
    resource: ROLLBACKS,
    toCached: toCachedRollback,
    tells: 'releases',
    releaseOf: releaseOfSpec,
    isUrgent: isUnanswered,
    // create: the automatic rollback of a version that fails. patch: the answer, and the owner reference to the release.
    verbs: [...READ, 'create', 'patch'],
    statusVerbs: ['patch'],
  }),
  promotions: row({
    resource: PROMOTIONS,
    toCached: toCachedPromotion,
    tells: 'releases',
    releaseOf: releaseOfSpec,
    // patch: the answer.
    verbs: [...READ, 'patch'],
    statusVerbs: ['patch'],
  }),
  revisions: row({
    resource: REVISIONS,
    toCached: toCachedRevision,
    reuse: withSameData,
    selection: OURS,
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    verbs: OWNED,
  }),
  deployments: row({
    resource: DEPLOYMENTS,
    toCached: toCachedDeployment,
    reuse: withSameSpec,
    selection: OURS,
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    verbs: OWNED,
  }),
  services: row({
    resource: SERVICES,
    toCached: toCachedService,
    selection: OURS,
    indexes: { [FORMER_INDEX]: formerOn },
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    verbs: OWNED,
  }),
  autoscalers: row({
    resource: AUTOSCALERS,
    toCached: toCachedAutoscaler,
    selection: OURS,
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    isNews: isNewsOfContent,
    verbs: OWNED,
  }),
  /** All budgets: also a budget that belongs to no release may select the pods of a release. */
  budgets: row({
    resource: BUDGETS,
    toCached: toCachedBudget,
    indexes: { [BUDGET_INDEX]: indexBudget },
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    isNews: isNewsOfContent,
    alsoTells: neighboursOf,
    verbs: OWNED,
  }),
  httpRoutes: routeRow(HTTP_ROUTES),
  grpcRoutes: routeRow(GRPC_ROUTES),
  pods: row({
    resource: PODS,
    toCached: toCachedPod,
    selection: OURS,
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    // create, delete: pods that pull images. patch: annotations of pods that hold their VM during a roll-out.
    verbs: OWNED,
  }),
  slices: row({
    resource: ENDPOINT_SLICES,
    toCached: toCachedSlice,
    selection: OURS,
    tells: 'releases',
    releaseOf: releaseOfLabel,
    settles: true,
    verbs: WATCHED,
  }),
  nodes: row({
    resource: NODES,
    toCached: toCachedNode,
    reuse: withSeenReadiness,
    tells: 'pools',
    toPoolChange: (change) => ({ kind: 'Node', ...change }),
    verbs: WATCHED,
  }),
  vmPools: row({
    resource: VM_POOLS,
    toCached: toCachedVmPool,
    tells: 'pools',
    toPoolChange: (change) => ({ kind: 'VMPool', ...change }),
    verbs: WATCHED,
    statusVerbs: ['patch'],
  }),
  /** All pods that take room on a node, also those that belong to no release. */
  placed: row({
    resource: PODS,
    toCached: toCachedPlacedPod,
    selection: PLACED,
    indexes: { [NODE_INDEX]: ({ nodeName }) => [nodeName] },
    needsAllNamespaces: true,
    tells: 'pools',
    toPoolChange: (change) => ({ kind: 'Pod', ...change }),
    verbs: WATCHED,
  }),
  /** For tenants that are selected by the labels of their namespaces. */
  namespaces: row({
    resource: NAMESPACES,
    toCached: toCachedNamespace,
    needsAllNamespaces: true,
    tells: 'pools',
    toPoolChange: (change) => ({ kind: 'Namespace', ...change }),
    verbs: WATCHED,
  }),
};
