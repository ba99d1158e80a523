// Usage: ci-summary.ts FOLDER FAILED. Sums the counts of vitest's JSON reports in a folder and names the tests that failed or
// needed a second try. Fails if a test or the run failed.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numFailedTestSuites: number;
  testResults: { assertionResults: Test[] }[];
}

interface Test {
  fullName: string;
  status: string;
  /** A test that passed at its second try has those of the first. */
  failureMessages: string[];
}

const [folder = '.', runFailed = '0'] = process.argv.slice(2);
const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
const reports = await Promise.all(
  names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Report),
);
const passed = sum(({ numPassedTests }) => numPassedTests);
const skipped = sum(({ numPendingTests, numTodoTests }) => numPendingTests + numTodoTests);
const failedTests = sum(({ numFailedTests }) => numFailedTests);
const tests = reports.flatMap(({ testResults }) => testResults.flatMap(({ assertionResults }) => assertionResults));
const triedTwice = tests.filter(({ status, failureMessages }) => status === 'passed' && failureMessages.length > 0);
print(
  'failed',
  tests.filter(({ status }) => status === 'failed'),
);
print('needed a second try', triedTwice);
// A failed check, set-up or demo is no test, but counts as a failure.
const failed = Math.max(failedTests, runFailed === '0' && passed > 0 ? 0 : 1);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

function print(what: string, those: readonly Test[]): void {
  console.log(`${what}: ${those.length}`);
  for (const { fullName, failureMessages } of those)
    console.log(`  ${fullName}: ${failureMessages[0]?.split('\n')[0] ?? ''}`);
}

function sum(count: (report: Report) => number): number {
  return reports.reduce((total, report) => total + count(report), 0);
}
