// What was found of each template on each base, kept in a file so that a run that was stopped goes on.
import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';

export class Results {
  #file;
  #all = {};

  constructor(file) {
    this.#file = file;
  }

  async load() {
    this.#all = JSON.parse(await readFile(this.#file, 'utf8').catch(() => '{}'));
  }

  /** What was found of this very recipe before. */
  find({ key, recipe }) {
    const known = this.#all[key];
    return known?.recipe === hashOf(recipe) ? known : undefined;
  }

  passed(one) {
    return this.find(one)?.status === 'completed';
  }

  async keep({ key, recipe }, result) {
    this.#all[key] = { recipe: hashOf(recipe), at: new Date().toISOString(), ...result };
    await writeFile(`${this.#file}.new`, `${JSON.stringify(this.#all, null, 2)}\n`);
    await rename(`${this.#file}.new`, this.#file);
    return result;
  }

  /** Prints all of the work, run or not. @returns how many passed */
  print(work) {
    const rows = work.map((one) => [one.key, this.find(one) ?? { status: 'not yet run' }]);
    console.table(
      Object.fromEntries(
        rows.map(([key, { status, seconds, bootSeconds, imageMiB, at }]) => [
          key,
          { status, 'all s': seconds, 'boot s': bootSeconds, 'image MiB': imageMiB, at: at?.slice(0, 16) },
        ]),
      ),
    );
    const count = (wanted) => rows.filter(([, { status }]) => status === wanted).length;
    console.log(
      `${count('completed')} of ${work.length} passed, ${count('failed')} FAILED, ${count('host too slow')} without a verdict, ${count('not yet run')} not yet run.`,
    );
    return count('completed');
  }
}

const hashOf = (recipe) => createHash('sha256').update(JSON.stringify(recipe)).digest('hex');
