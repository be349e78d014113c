import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { checkInput, type DtoClass, type Violation } from '#libs/platform';
import { checkAssertion } from '../assertions/check-assertion.js';
import { serviceConfigs } from '../services/service-configs.js';
import {
  BaseImageFile,
  RecipeCategoryFile,
  RecipeDaemonFile,
  RecipeFeatureDto,
  RecipeServiceFile,
  RecipeTemplateDto,
} from './catalogue.dto.js';
import { Catalogue } from './catalogue.js';
import { dataDirectory } from './data-directory.js';

/** Reads every catalogue file once, at start. @throws Error that names each broken file and path */
export function loadCatalogue(dir = dataDirectory()): Catalogue {
  const problems: string[] = [];
  const complain = (file: string, violations: Violation[]) =>
    violations.forEach(({ path: at, message }) => problems.push(`${file}: ${at || '/'} ${message}`));
  const read = <T extends object>(dto: DtoClass<T>, file: string): T | undefined => {
    const { instance, violations } = checkInput(
      dto,
      readYaml(path.join(dir, file), (message) => problems.push(`${file}: ${message}`)),
    );
    complain(file, violations);
    return instance;
  };
  const readAll = <T extends { id: string }>(dto: DtoClass<T>, folder: string): T[] =>
    yamlFiles(path.join(dir, folder)).flatMap((name) => {
      const entry = read(dto, path.join(folder, name));
      if (entry && `${entry.id}.yaml` !== name)
        problems.push(`${folder}/${name}: /id must be "${path.basename(name, '.yaml')}", like the file`);
      return entry ? [entry] : [];
    });

  const features = readAll(RecipeFeatureDto, 'features');
  for (const feature of features) {
    feature.assertions.forEach(({ type, params }, at) =>
      complain(`features/${feature.id}.yaml`, checkAssertion(type, params, `/assertions/${at}/params`)),
    );
  }
  const catalogue = new Catalogue({
    bases: read(BaseImageFile, 'base-images.yaml')?.base_images ?? [],
    features,
    services: read(RecipeServiceFile, 'services.yaml')?.services ?? [],
    categories: read(RecipeCategoryFile, 'categories.yaml')?.categories ?? [],
    daemons: read(RecipeDaemonFile, 'daemons.yaml')?.daemons ?? [],
    templates: readAll(RecipeTemplateDto, 'templates'),
  });
  problems.push(...brokenReferences(catalogue));
  if (problems.length) throw new Error(`The recipe catalogue is broken:\n${problems.join('\n')}`);
  return catalogue;
}

function readYaml(file: string, complain: (message: string) => void): unknown {
  try {
    return parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    complain((error as Error).message);
    return {};
  }
}

function yamlFiles(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
}

function brokenReferences(catalogue: Catalogue): string[] {
  const { bases, features, services, templates } = catalogue;
  const knownFeature = (where: string, id: string) =>
    catalogue.findFeature(id) ? [] : [`${where}: unknown feature "${id}"`];
  const configured = Object.keys(serviceConfigs);
  return [
    ...catalogue.duplicates().map((name) => `the name "${name}" is used twice`),
    ...bases.flatMap((base) =>
      base.available === Boolean(base.archive) && base.available !== Boolean(base.unavailable_reason)
        ? []
        : [`base-images.yaml: ${base.id} needs an archive or an unavailable_reason`],
    ),
    ...bases.flatMap(({ id, nearest }) =>
      nearest && !catalogue.findBase(nearest)?.available
        ? [`base-images.yaml: ${id}: nearest "${nearest}" is not available`]
        : [],
    ),
    ...features.flatMap(({ id, requires, conflicts }) =>
      [...requires, ...conflicts].flatMap((other) => knownFeature(`features/${id}.yaml`, other)),
    ),
    ...features.flatMap(({ id, differences }) =>
      differences.flatMap(({ base }) =>
        catalogue.findBase(base) ? [] : [`features/${id}.yaml: unknown base "${base}"`],
      ),
    ),
    ...services.flatMap(({ id, feature }) => [
      ...knownFeature(`services.yaml: ${id}`, feature),
      ...(configured.includes(id) ? [] : [`services.yaml: ${id} has no config class`]),
    ]),
    ...configured.filter((id) => !catalogue.findService(id)).map((id) => `services.yaml: the service ${id} is missing`),
    ...templates.flatMap(({ id, category }) =>
      catalogue.findCategory(category) ? [] : [`templates/${id}.yaml: unknown category "${category}"`],
    ),
  ];
}
