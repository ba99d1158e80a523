import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** A race must not lose a landing; who needed the second try is printed by scripts/ci-summary.ts, and is a fault to be found. */
const retry = process.env.CI ? 1 : 0;

/** Files that wait for long, the longest first. Where there is no record of an earlier run, vitest begins with the largest files. */
const LONG = ['docs-moving', 'bench', 'demo-current', 'faults', 'chart', 'cluster', 'operator'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => LONG.indexOf(basename(moduleId, '.test.ts'));
    const sorted = await super.sort(files);
    const long = sorted.filter((file) => place(file) >= 0).toSorted((one, other) => place(one) - place(other));
    return [...long, ...sorted.filter((file) => place(file) < 0)];
  }
}

/** Of the tests on a kind cluster, which they share; those that run alone change what all of them use. */
const onKind = {
  globalSetup: ['test/e2e/setup.ts'],
  retry,
  testTimeout: 600_000,
  hookTimeout: 300_000,
};

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/{cluster,demo,kind}/**/*.test.ts'],
          // Importing the same modules anew for each file takes longer than the tests.
          isolate: false,
        },
      },
      { test: { name: 'chart', include: ['test/chart/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 600_000 } },
      { test: { name: 'simulation', include: ['test/simulation/**/*.test.ts'], testTimeout: 600_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/integration/setup.ts'],
          retry,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each has a control plane of its own, which waits more than it works.
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/*.test.ts'],
          ...onKind,
          maxWorkers: 4,
          // Of the tests of a file.
          maxConcurrency: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e-alone',
          include: ['test/e2e/alone/*.test.ts'],
          ...onKind,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      { test: { name: 'e2e-bench', include: ['test/e2e-bench/*.test.ts'], ...onKind, fileParallelism: false } },
      {
        test: {
          name: 'e2e-vm',
          include: ['test/e2e-vm/**/*.test.ts'],
          globalSetup: ['test/e2e-vm/setup.ts'],
          retry,
          testTimeout: 900_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
