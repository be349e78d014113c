/** What the configure stage does to a tree, as data: nothing here is ever read by a shell. */
export interface PlannedFile {
  path: string;
  content: string | Buffer;
  /** Octal text. Default 0644. */
  mode?: string;
  owner?: string;
  group?: string;
}

export interface PlannedCommand {
  argv: string[];
  /** Text for standard input. */
  input?: string;
}

/** Steps in order; each renderer adds its own. */
export class ImagePlan {
  readonly steps: (PlannedFile | PlannedCommand)[] = [];

  file(file: PlannedFile): void {
    this.steps.push(file);
  }

  run(argv: string[], input?: string): void {
    this.steps.push({ argv, ...(input !== undefined && { input }) });
  }

  enable(...units: string[]): void {
    for (const unit of units) this.run(['systemctl', 'enable', '--quiet', unit]);
  }

  mask(...units: string[]): void {
    for (const unit of units) this.run(['systemctl', 'mask', '--quiet', unit]);
  }
}
