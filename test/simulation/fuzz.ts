/** Users with random actions at random times. Only the invariants must hold. */
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import type { Act } from './fuzz-edits.ts';
import { edit, EDITS, POOLS, VERSIONS } from './fuzz-edits.ts';
import type { Behaviour } from './kubelet.ts';
import type { Random } from './prng.ts';
import type { Scenario, UserStep } from './scenario.ts';
import { eachPool, pool, rollingSharedSpec, rollingSpec, setPorts, sharedSpec, webSpec, workerSpec } from './specs.ts';
import type { Scene } from './simulation.ts';
import { APPLIED_KINDS } from '../../src/release/record/kube-objects.ts';
import { objectName } from '../../src/release/record/names.ts';
import { addNodes } from './users.ts';
import type { OwnedKind } from './users.ts';
import { OWNED_KINDS } from './users.ts';

/** The pools with VMs. */
const VMS = [...POOLS, 'prod-c'];

/** The kinds whose objects users delete. */
const DELETED = [...APPLIED_KINDS, 'ReleaseRollback', 'Pod'] as const;

const ACTS: readonly Act[] = [
  (random) => {
    const version = random.pick(VERSIONS);
    return {
      say: `set version ${version}`,
      act: ({ users }) => {
        users.setVersion('web', version);
      },
    };
  },
  (random, count) => {
    const pools = random.chance(0.3) ? [random.pick(POOLS)] : undefined;
    const toVersion = random.chance(0.3) ? random.pick(VERSIONS) : undefined;
    const spec = {
      release: 'web',
      ...(pools && { pools }),
      ...(toVersion && { toVersion }),
      force: random.chance(0.2),
    };
    const say = `roll back ${pools?.join() ?? 'all'} to ${toVersion ?? 'the last'}`;
    return {
      say,
      act: ({ users }) => {
        users.rollback(`by-hand-${count}`, spec);
      },
    };
  },
  (random, count) => {
    const spec = {
      release: 'web',
      stage: random.pick(['canary', 'production']),
      ...(random.chance(0.6) && { version: random.pick(VERSIONS) }),
      ...(random.chance(0.3) ? { step: random.between(1, 2) } : { skipSoak: random.chance(0.3) }),
    };
    return {
      say: `promote ${spec.version ?? 'what is wanted'} into ${spec.stage}`,
      act: ({ users }) => {
        users.promote(`promotion-${count}`, spec);
      },
    };
  },
  (random) => {
    const name = random.pick(POOLS);
    const replicas = random.between(0, 3);
    return edit(`set ${replicas} replicas in ${name}`, (spec) => {
      eachPool(spec, (found) => {
        if (found.name === name) found.replicas = replicas;
      });
    });
  },
  (random) => {
    const [name, minReplicas] = [random.pick(POOLS), random.between(1, 3)];
    const autoscaling = random.chance(0.7)
      ? { minReplicas, maxReplicas: minReplicas + random.between(0, 3) }
      : undefined;
    return edit(autoscaling ? `autoscale ${name} from ${minReplicas}` : `no autoscaling in ${name}`, (spec) => {
      eachPool(spec, (found) => {
        if (found.name !== name) return;
        if (autoscaling) found.autoscaling = autoscaling;
        else delete found.autoscaling;
      });
    });
  },
  (random) => {
    const [name, pods] = [random.pick(POOLS), random.between(1, 5)];
    return {
      say: `the load of ${name} asks for ${pods} pods`,
      act: ({ cluster }) => {
        cluster.load(name, pods);
      },
    };
  },
  () =>
    edit('reverse the stages', (spec) => {
      spec.stages.reverse();
    }),
  () =>
    edit('tolerate spot VMs', (spec) => {
      eachPool(spec, (found) => {
        found.tolerations = [{ key: 'spot', operator: 'Exists' }];
      });
    }),
  () =>
    edit('tolerate nothing', (spec) => {
      eachPool(spec, (found) => {
        delete found.tolerations;
      });
    }),
  (random) => {
    const manual = random.chance(0.5);
    return edit(`approval ${manual ? 'Manual' : 'Automatic'}`, (spec) => {
      for (const stage of spec.stages) stage.approval = manual ? 'Manual' : 'Automatic';
    });
  },
  () =>
    edit('add pool prod-c', (spec) => {
      if (!spec.stages.some(({ pools }) => pools.some(({ name }) => name === 'prod-c')))
        spec.stages.at(-1)?.pools.push(pool('prod-c', 1));
    }),
  () =>
    edit('remove pool prod-b', (spec) => {
      for (const stage of spec.stages) stage.pools = stage.pools.filter(({ name }) => name !== 'prod-b');
    }),
  (random) => {
    const type = random.pick(['BlueGreen', 'RollingUpdate'] as const);
    return edit(`strategy ${type}`, (spec) => {
      spec.strategy = { type };
    });
  },
  (random) => {
    const onFailure = random.pick(['RollbackAll', 'RollbackPool', 'Pause'] as const);
    return edit(`onFailure ${onFailure}`, (spec) => {
      spec.rollback = { ...spec.rollback, onFailure };
    });
  },
  () =>
    edit('a port that no container has', (spec) => {
      spec.service = { ports: [{ port: 80, targetPort: 'nope' } as never] };
    }),
  () =>
    edit('a proper port', (spec) => {
      spec.service = { ports: [{ port: 80 }] };
    }),
  (random) => {
    const version = random.pick(VERSIONS);
    const [name, isNamed] = [`p${random.between(1, 2)}`, random.chance(0.7)];
    return edit(`${version} with the port ${isNamed ? name : 'by number'}`, (spec) => {
      setPorts(spec, version, isNamed ? name : 8080);
    });
  },
  (random) => {
    const port = random.pick([80, 81]);
    return edit(`the Service's port ${port} alone`, (spec) => {
      for (const own of spec.service?.ports ?? []) own.port = port;
    });
  },
  ...EDITS,
  (random) => {
    const reason = random.chance(0.5) ? 'freeze' : null;
    return {
      say: reason ? 'pause' : 'resume',
      act: ({ users }) => {
        users.pause('web', reason);
      },
    };
  },
  () => ({
    say: 'erase the status',
    act: ({ users }) => {
      users.eraseStatus('web');
    },
  }),
  (random) => {
    const version = random.pick(VERSIONS);
    const behaviour = random.pick<Behaviour>(['good', 'never', 'crash', 'missing', 'flapping', 'fading', 'slow']);
    return {
      say: `${version} is ${behaviour} from now on`,
      act: ({ cluster }) => {
        cluster.kubelet.behaviours.set(version, behaviour);
      },
    };
  },
  (random) => {
    const limit = random.between(1, 2);
    return edit(`revisionHistoryLimit ${limit}`, (spec) => {
      spec.revisionHistoryLimit = limit;
    });
  },
  (random) => {
    const args = random.pick(['-v', '-q']);
    return edit(`argument ${args}`, (spec) => {
      for (const container of spec.template.spec.containers) container.args = [args];
    });
  },
  (random) => {
    const workloadMetadata = random.chance(0.3) ? undefined : { labels: { [random.pick(['team', 'cost'])]: 'shop' } };
    return edit(`workloadMetadata ${JSON.stringify(workloadMetadata)}`, (spec) => {
      if (workloadMetadata) spec.workloadMetadata = workloadMetadata;
      else delete spec.workloadMetadata;
    });
  },
  (random) => {
    const metadata = { labels: { [LABEL.managedBy]: random.pick(['Helm', 'flux']) } };
    return edit(`labels ${JSON.stringify(metadata.labels)}`, (spec) => {
      spec.template.metadata = metadata;
      if (spec.service) spec.service['metadata'] = metadata;
    });
  },
  (random) => {
    const name = `web-${random.pick(POOLS)}`;
    return {
      say: `edit the selector of ${name}`,
      act: ({ users }) => {
        users.editService(name, { selector: { [LABEL.track]: null, app: 'other' } });
      },
    };
  },
  (random) => {
    const [kind, which] = [random.pick(OWNED_KINDS), random.next()];
    return {
      say: `take our label from a ${kind}`,
      act: ({ world, users }) => {
        const objects = world.list(kind).filter(({ metadata }) => metadata.labels?.[LABEL.release] !== undefined);
        const found = objects[Math.floor(which * objects.length)];
        if (found) users.label(kind, found.metadata.name, { [LABEL.release]: null });
      },
    };
  },
  makeOne,
  makeOne,
  (random) => {
    const [name, replicas] = [objectName('web', random.pick(POOLS), random.between(1, 3)), random.between(0, 4)];
    return {
      say: `scale ${name} to ${replicas}`,
      act: ({ users }) => {
        users.scale(name, replicas);
      },
    };
  },
  (random) => {
    const name = deploymentName(random);
    const sizes = Array.from({ length: 4 }, () => random.between(0, 4));
    return {
      say: `scale ${name} to ${sizes.join(', then ')}`,
      act: ({ world, users }) => {
        for (const [index, replicas] of sizes.entries())
          world.after(index * 3000, () => {
            users.scale(name, replicas);
          });
      },
    };
  },
  (random) => {
    const name = deploymentName(random);
    return {
      say: `restart ${name} four times`,
      act: ({ world, users }) => {
        for (const index of Array(4).keys())
          world.after(index * 5000, () => {
            users.restart(name);
          });
      },
    };
  },
  (random) => {
    const name = deploymentName(random);
    const times = random.between(1, 4);
    const change = random.pick([{ revisionHistoryLimit: 7 }, { paused: true }]);
    return {
      say: `have ${name} with ${JSON.stringify(change)}, ${times} times`,
      act: ({ world, users }) => {
        for (const index of Array(times).keys())
          world.after(index * 3000, () => {
            users.editDeployment(name, change);
          });
      },
    };
  },
  (random) => {
    const name = objectName('web', random.pick(POOLS), random.between(1, 3));
    return {
      say: `scribble over Deployment ${name}`,
      act: ({ users }) => {
        users.annotate('Deployment', name, { [ANNOTATION.placement]: 'nonsense' });
      },
    };
  },
  ...DELETED.map((kind) => (random: Random) => deleteOne(random, kind)),
  (random) => {
    const name = random.pick(POOLS);
    const ready = random.chance(0.5);
    return {
      say: `a pod of ${name} is ${ready ? '' : 'not '}ready`,
      act: ({ users }) => {
        users.flip('web', name, ready);
      },
    };
  },
  (random) => {
    const name = `${random.pick(POOLS)}-${random.between(1, 2)}`;
    const ready = random.chance(0.5);
    return {
      say: `node ${name} is ${ready ? '' : 'not '}ready`,
      act: ({ users }) => {
        users.node(name, ready);
      },
    };
  },
  (random) => {
    const capacity = random.between(1, 3);
    return {
      say: `nodes of prod-a take ${capacity} pods`,
      act: ({ cluster }) => {
        cluster.kubelet.capacity.set('prod-a', capacity);
      },
    };
  },
  (random) => {
    const [name, pods] = [random.pick(POOLS), random.between(1, 4)];
    return {
      say: `nodes of ${name} say that they take ${pods} pods`,
      act: ({ users }) => {
        users.room(name, pods);
      },
    };
  },
  (random) => {
    const name = `${random.pick(POOLS)}-${random.between(1, 2)}`;
    return {
      say: `cordon ${name}`,
      act: ({ users }) => {
        users.cordon(name, true);
      },
    };
  },
  (random) => {
    const [name, vms] = [random.pick(POOLS), random.pick(VMS)];
    return edit(`${name} goes to the VMs of ${vms}`, (spec) => {
      eachPool(spec, (found) => {
        if (found.name === name) found.nodeSelector = { pool: vms };
      });
    });
  },
  (random) => {
    const vms = random.pick(VMS);
    return {
      say: `the VMs of ${vms} are deleted`,
      act: ({ users }) => {
        users.loseVms(vms);
      },
    };
  },
  (random) => {
    const vms = random.pick(VMS);
    return {
      say: `drain the VMs of ${vms}`,
      act: ({ users }) => {
        users.drain(vms);
      },
    };
  },
  (random) => {
    const capacity = random.pick(['Wait', 'Proceed'] as const);
    return edit(`capacity ${capacity}`, (spec) => {
      spec.capacity = capacity;
    });
  },
];

/** A user's object under a name that the operator may use. */
function makeOne(random: Random): ReturnType<Act> {
  const kind = random.pick(OWNED_KINDS);
  const [name, number] = [random.pick(POOLS), random.between(1, 4)];
  const names: Record<OwnedKind, string> = {
    Deployment: objectName('web', name, ...(random.chance(0.5) ? [number] : [])),
    Service: `web-${name}`,
    HorizontalPodAutoscaler: objectName('web', name),
    PodDisruptionBudget: objectName('web', name, number),
    HTTPRoute: 'web',
    GRPCRoute: 'web',
    ControllerRevision: `web-${number}`,
  };
  const labels: Record<string, string> = random.chance(0.3) ? { [LABEL.release]: 'web' } : {};
  return {
    say: `make a ${kind} ${names[kind]} of their own`,
    act: ({ users }) => {
      users.own(kind, names[kind], labels);
    },
  };
}

/** The name of a Deployment: of a pool that is updated in place, or of a revision. */
function deploymentName(random: Random): string {
  const pool = random.pick(POOLS);
  return random.chance(0.3) ? objectName('web', pool) : objectName('web', pool, random.between(1, 3));
}

function deleteOne(random: Random, kind: (typeof DELETED)[number]): ReturnType<Act> {
  const which = random.next();
  return {
    say: `delete a ${kind}`,
    act: ({ world, users }) => {
      const objects = world.list(kind);
      const found = objects[Math.floor(which * objects.length)];
      if (found) users.remove(kind, found.metadata.name);
    },
  };
}

/** Repairs the cluster, so that the release must reach its end state. */
function repair({ cluster, world, users }: Scene): void {
  for (const vms of VMS) {
    if (!world.get('Node', `${vms}-1`)) addNodes(world, vms, 2);
  }
  for (const name of POOLS) users.room(name, 110);
  cluster.kubelet.capacity.clear();
  cluster.kubelet.behaviours.clear();
  users.unflip();
  for (const { metadata } of world.list('Node')) {
    users.node(metadata.name, true);
    users.cordon(metadata.name, false);
  }
}

export function anything(random: Random): Scenario {
  const spec = random.pick([webSpec, webSpec, workerSpec, sharedSpec, rollingSpec, rollingSharedSpec])('1.0.0');
  const first: UserStep = {
    say: 'create AppRelease web',
    act: ({ users }) => {
      users.create('web', spec);
    },
  };
  const acts = Array.from({ length: random.between(2, 7) }, (_none, count): UserStep => {
    const { say, act } = random.pick(ACTS)(random, count);
    return { say, act, ...(random.chance(0.7) && { after: random.pick([500, 4000, 20_000, 70_000, 400_000]) }) };
  });
  return {
    name: 'anything',
    steps: [first, ...acts, { say: 'repair the cluster', act: repair, after: 1000 }],
    expect: {},
  };
}
