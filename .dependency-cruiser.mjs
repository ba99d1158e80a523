// The layers of docs/architecture.md, held by `make lint`: an import goes down or stays, and no file is in a circle.

/** Lowest first; those of one row do not import each other. */
const LAYERS = [
  ['lib'],
  ['api'],
  ['kube', 'registry', 'scheduling'],
  ['vmpool'],
  ['release'],
  ['controller'],
  ['process', 'cli'],
];
/** Inside src/release; those of one row may import each other. */
const RELEASE_LAYERS = [
  ['record'],
  ['state', 'traffic'],
  ['stages', 'pools', 'health', 'rollback', 'history', 'route'],
  ['status'],
];

/** What only tests import may import whatever it needs. */
const TESTS = '(\\.test|testing)\\.ts$';

function folders(names, parent) {
  return `^src/${parent}(${names.join('|')})/`;
}

function layerRules(layers, parent, isClosed) {
  return layers.flatMap((row, level) =>
    row.map((name) => {
      const above = layers.slice(level + 1).flat();
      const beside = isClosed ? row.filter((other) => other !== name) : [];
      const top = parent === '' ? ['^src/operator\\.ts$'] : [`^src/${parent}plan\\.ts$`];
      const forbidden = [...above, ...beside];
      return {
        name: `layer-${parent}${name}`,
        comment: `nothing of ${forbidden.join(', ')} may be imported here: "Layers" in docs/architecture.md`,
        severity: 'error',
        from: { path: folders([name], parent), pathNot: TESTS },
        to: { path: [...(forbidden.length > 0 ? [folders(forbidden, parent)] : []), ...top] },
      };
    }),
  );
}

export default {
  forbidden: [
    ...layerRules(LAYERS, '', true),
    ...layerRules(RELEASE_LAYERS, 'release/', false),
    {
      name: 'no-circle',
      comment: 'Move what both files need to a third one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'product-without-tests',
      comment: 'src/ without its tests is what ships.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { path: ['^test/', '^scripts/', TESTS] },
    },
    {
      name: 'no-development-dependency',
      comment:
        'What the operator imports must be among "dependencies", which its bill of materials lists. src/cli is a program of its own.',
      severity: 'error',
      from: { path: '^src/', pathNot: [TESTS, '^src/cli/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
