export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Lines that stay, and on a terminal one below them that is rewritten in place. */
export class Screen {
  private isDrawn = false;

  constructor(private readonly output: Output) {}

  /** Whether `redraw` is seen. */
  get isTerminal(): boolean {
    return this.output.isTTY === true;
  }

  /** Width for `redraw`; without a terminal nothing is drawn. */
  get columns(): number {
    return this.output.columns || 80;
  }

  line(text: string): void {
    this.clear();
    this.output.write(`${text}\n`);
  }

  redraw(text: string): void {
    if (!this.output.isTTY) return;
    this.output.write(`\r${text}\x1b[K`);
    this.isDrawn = true;
  }

  clear(): void {
    if (this.isDrawn) this.output.write('\r\x1b[K');
    this.isDrawn = false;
  }
}
