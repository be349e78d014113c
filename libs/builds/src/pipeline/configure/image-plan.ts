/** What the configure stage does to a tree, as data: nothing here is ever read by a shell. */
export interface PlannedFile {
  path: string;
  content: string | Buffer;
  /** Octal text. Default 0644. */
  mode?: string;
  owner?: string;
  group?: string;
  from?: string;
}

/** Made with its mode and owner, also where it is there already. */
export interface PlannedDirectory {
  directory: string;
  /** Octal text. Default 0755. */
  mode?: string;
  owner?: string;
  group?: string;
  from?: string;
}

export interface PlannedCommand {
  argv: string[];
  /** Text for standard input. */
  input?: string;
  from?: string;
  /** What it means that it fails, where the program itself says nothing. */
  failure?: string;
}

/** `from` is the JSON Pointer of the field of the recipe that a step carries out: who reads that it failed knows what to change. */
export type PlannedStep = PlannedFile | PlannedDirectory | PlannedCommand;

/** Steps in order; each renderer adds its own. */
export class ImagePlan {
  readonly steps: PlannedStep[] = [];
  private readonly checks: PlannedCommand[] = [];
  private cleanedAt: number | undefined;

  file(file: PlannedFile): void {
    this.steps.push(file);
  }

  directory(directory: PlannedDirectory): void {
    this.steps.push(directory);
  }

  run(argv: string[], more: Omit<PlannedCommand, 'argv'> = {}): void {
    this.steps.push({ argv, ...more });
  }

  /** Asks a program whether it takes what it was given: once everything is there, so that files of the recipe count. */
  check(argv: string[], more: Omit<PlannedCommand, 'argv'> = {}): void {
    this.checks.push({ argv, ...more });
  }

  runChecks(): void {
    this.steps.push(...this.checks.splice(0));
  }

  enable(...units: string[]): void {
    for (const unit of units) this.run(['systemctl', 'enable', '--quiet', unit]);
  }

  mask(...units: string[]): void {
    for (const unit of units) this.run(['systemctl', 'mask', '--quiet', unit]);
  }

  /** Here the tree is cleaned of what programs leave behind (logs, caches, identities); what comes after stays as it is. */
  clean(): void {
    this.cleanedAt = this.steps.length;
  }

  get beforeCleaning(): PlannedStep[] {
    return this.steps.slice(0, this.cleanedAt);
  }

  get afterCleaning(): PlannedStep[] {
    return this.cleanedAt === undefined ? [] : this.steps.slice(this.cleanedAt);
  }
}
