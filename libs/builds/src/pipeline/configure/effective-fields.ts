import type { RecipeDto, Resolution } from '#libs/recipes';

const configured = new Set(['ssh', 'docker', 'firewall', 'nginx', 'monitoring', 'ntp']);

/** The sentence that refuses a recipe with fields this version cannot carry out; undefined where there is none. */
export function notEffectiveYet(recipe: RecipeDto, { services }: Resolution): string | undefined {
  const fields = [
    ...(recipe.extra_repos.length ? ['extra_repos'] : []),
    ...(recipe.custom_packages.length ? ['custom_packages'] : []),
    ...(recipe.desktop ? ['desktop'] : []),
    ...(recipe.security.automatic_updates ? ['security.automatic_updates'] : []),
    ...(recipe.security.secure_boot ? ['security.secure_boot'] : []),
    ...recipe.output.formats.filter((format) => format !== 'iso').map((format) => `output.formats: ${format}`),
    ...services.filter(({ name }) => !configured.has(name) && recipe.services.some((asked) => asked.name === name)).map(({ name }) => `services: ${name}`),
  ];
  return fields.length ? `This version cannot carry out ${fields.join(', ')} yet, and no field is ignored.` : undefined;
}
