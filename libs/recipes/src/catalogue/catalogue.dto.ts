import { Flag, OneOf, OpenObject, Parts, Part, Port, Text, Texts } from '../schema/field.decorators.js';
import { RecipeFile } from '../schema/files.dto.js';
import { RecipeAssertion } from '../schema/tests.dto.js';
import { anyText, catalogueId, componentName, oneLine, packageName, suiteName } from '../schema/text-rules.js';
import { unitName } from './catalogue-rules.js';

const id = { required: true };
const title = { required: true, maxLength: 100 };
const prose = { required: true, maxLength: 1000 };

export class BaseImageKernels {
  @Text(packageName, 'Package of the generic kernel.', { required: true }) generic: string;
  @Text(packageName, 'Package of the smaller kernel for virtual machines.', { required: true }) cloud: string;
}

export class BaseImageKernelsByArchitecture {
  @Part(() => BaseImageKernels, 'Kernels on amd64.', { required: true }) amd64: BaseImageKernels;
  @Part(() => BaseImageKernels, 'Kernels on arm64.', { required: true }) arm64: BaseImageKernels;
}

/** Where the packages of a base come from and what every image of it holds. */
export class BaseImageArchive {
  @OneOf(['debian', 'ubuntu'], 'Whose mirror (setting) is used.', { required: true }) mirror: 'debian' | 'ubuntu';
  @Text(suiteName, 'Suite.', { required: true }) suite: string;
  @Text(suiteName, 'Suite of updates.', { required: true }) updates_suite: string;
  @Text(suiteName, 'Suite of security updates.', { required: true }) security_suite: string;
  @Texts(componentName, 'Components.', { required: true }) components: string[];
  @Part(() => BaseImageKernelsByArchitecture, 'Kernel packages.', { required: true })
  kernels: BaseImageKernelsByArchitecture;
  @Texts(packageName, 'Packages that every image holds beside the essential ones and the kernel.', { required: true })
  packages: string[];
  @Texts(packageName, 'Groups that exist in every image of the base (base-passwd and systemd).', { required: true })
  groups: string[];
}

export class BaseImageDto {
  @Text(catalogueId, 'Id, as recipes name it.', id) id: string;
  @Texts(catalogueId, 'Other names that recipes may use.', { default: [] }) aliases: string[] = [];
  @Text(oneLine, 'Name for people.', title) title: string;
  @Text(anyText, 'What it is.', prose) description: string;
  @OneOf(['deb', 'rpm'], 'Package format.', { required: true }) package_format: 'deb' | 'rpm';
  @Flag('Whether this factory can build it.') available: boolean;
  @Text(oneLine, 'Why it cannot be built.') unavailable_reason?: string;
  @Text(catalogueId, 'What to use instead.') nearest?: string;
  @Part(() => BaseImageArchive, 'Archive; every available base has one.') archive?: BaseImageArchive;
}

export class BaseImageFile {
  @Parts(() => BaseImageDto, 'Base images.', { required: true }) base_images: BaseImageDto[];
}

export class RecipeFeatureDifference {
  @Text(catalogueId, 'Base that it is for.', { required: true }) base: string;
  @Texts(packageName, 'Packages added on that base.', { default: [] }) add_packages: string[] = [];
  @Texts(packageName, 'Packages left out on that base.', { default: [] }) remove_packages: string[] = [];
  @Texts(unitName, 'Units added on that base.', { default: [] }) add_services: string[] = [];
  @Texts(unitName, 'Units left out on that base.', { default: [] }) remove_services: string[] = [];
}

export class RecipeFeaturePort {
  @OneOf(['tcp', 'udp', 'vrrp'], 'Protocol.', { required: true }) protocol: 'tcp' | 'udp' | 'vrrp';
  @Port('Port; vrrp has none.') port?: number;
}

export class RecipeFeatureDto {
  @Text(catalogueId, 'Id, as recipes name it.', id) id: string;
  @Texts(catalogueId, 'Other names that recipes may use.', { default: [] }) aliases: string[] = [];
  @Text(oneLine, 'Name for people.', title) title: string;
  @Text(anyText, 'What it brings.', prose) description: string;
  @Text(catalogueId, 'Group in lists.', { required: true }) category: string;
  @Text(oneLine, 'Why it cannot be built yet; a recipe that names it is refused with this.')
  unavailable_reason?: string;
  @Texts(packageName, 'Packages that are installed.', { default: [] }) packages: string[] = [];
  @Texts(unitName, 'systemd units that are enabled.', { default: [] }) services: string[] = [];
  @Texts(catalogueId, 'Features that it needs.', { default: [] }) requires: string[] = [];
  @Texts(catalogueId, 'Features that it cannot be with.', { default: [] }) conflicts: string[] = [];
  @Texts(packageName, 'Groups that its packages make.', { default: [] }) groups: string[] = [];
  @Parts(
    () => RecipeFeaturePort,
    'What it answers other hosts on, as it is installed; the firewall lets it through. Features with a service of their own have theirs from its config.',
    { default: [] },
  )
  ports: RecipeFeaturePort[] = [];
  @Parts(() => RecipeFeatureDifference, 'What is different on one base.', { default: [] })
  differences: RecipeFeatureDifference[] = [];
  @Parts(() => RecipeFile, 'Files that it puts into the image.', { default: [] }) files: RecipeFile[] = [];
  @Parts(() => RecipeAssertion, 'What must hold in the image.', { default: [] }) assertions: RecipeAssertion[] = [];
}

export class RecipeDaemonDto {
  @Text(packageName, 'Package.', { required: true }) package: string;
  @Parts(() => RecipeFeaturePort, 'What it listens on, as it is installed.', { required: true })
  ports: RecipeFeaturePort[];
  @Flag('It binds its port on every address at once.', false) takes_every_address: boolean = false;
}

export class RecipeDaemonFile {
  @Parts(() => RecipeDaemonDto, 'Daemons.', { required: true }) daemons: RecipeDaemonDto[];
}

export class RecipeServiceDto {
  @Text(catalogueId, 'Id, as recipes name it.', id) id: string;
  @Text(oneLine, 'Name for people.', title) title: string;
  @Text(anyText, 'What it configures.', prose) description: string;
  @Text(catalogueId, 'Feature that it needs.', { required: true }) feature: string;
}

export class RecipeServiceFile {
  @Parts(() => RecipeServiceDto, 'Services.', { required: true }) services: RecipeServiceDto[];
}

export class RecipeCategoryDto {
  @Text(catalogueId, 'Id.', id) id: string;
  @Text(oneLine, 'Name for people.', title) title: string;
  @Text(anyText, 'What its templates are for.', prose) description: string;
}

export class RecipeCategoryFile {
  @Parts(() => RecipeCategoryDto, 'Categories.', { required: true }) categories: RecipeCategoryDto[];
}

export class RecipeTemplateDto {
  @Text(catalogueId, 'Id.', id) id: string;
  @Text(oneLine, 'Name for people.', title) title: string;
  @Text(anyText, 'What it is for.', prose) description: string;
  @Text(catalogueId, 'Category.', { required: true }) category: string;
  @Texts(catalogueId, 'Words to find it by.', { default: [] }) tags: string[] = [];
  @OpenObject('The recipe.', { required: true }) recipe: Record<string, unknown>;
}
