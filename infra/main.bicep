metadata description = 'Azure Drift Detector: everything one deployment needs, in one resource group.'

targetScope = 'subscription'

@description('Name of the azd environment. Resources are named after it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Azure region of everything.')
@minLength(1)
param location string

@description('Client id of the app registration: made by the hook "registration", or your own.')
@minLength(36)
@maxLength(36)
param appClientId string

@description('Application ID URI of the app registration; empty is api://CLIENT-ID.')
param identifierUri string = ''

@description('Directory whose users with the app role Platform.Operator run the deployment; empty is the directory of this subscription.')
param platformDirectoryId string = ''

@description('Name of the resource group; empty is rg-ENVIRONMENT.')
param resourceGroupName string = ''

@description('Name of the function app, and so its address; empty is one that nobody else has.')
param functionAppName string = ''

@description('Name of the key vault; empty is one that nobody else has. Give another when a deleted vault still holds it.')
@maxLength(24)
param vaultName string = ''

@description('"recover" brings back the deleted vault of this name, with all its secrets.')
@allowed(['default', 'recover'])
param vaultCreateMode string = 'default'

@description('Redundancy of the stored rows. Regions without zones need Standard_LRS or Standard_GRS.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('Days in which deleted blobs (packages, backups, exports) can be brought back.')
@minValue(7)
@maxValue(365)
param softDeleteDays int = 30

@description('Memory of one instance in MB; 2048 is one core.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('The most instances there may be at once; 40 is the least that Azure takes.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Requests that one signed-in principal may make in a minute in one tenant, over all instances.')
@minValue(20)
@maxValue(1000000)
param requestsPerMinute int = 1200

@description('Where people reach the pages, for links in notices; empty: the name of the function app.')
param siteUrl string = ''

@description('Endpoint of Azure Communication Services, for mail channels that bring no access of their own; empty: none. The app identity needs a role there that may send mail.')
param mailEndpoint string = ''

@description('Address that such mail comes from.')
param mailSender string = ''

@description('What a caller gets who is not signed in: sign-in for people, or 401 on every path where only programs call.')
@allowed(['RedirectToLoginPage', 'Return401'])
param unauthenticatedAction string = 'RedirectToLoginPage'

@description('True puts storage and vault behind private endpoints and the app into a virtual network. "dev.py doctor" then runs from inside it only.')
param privateNetwork bool = false

@description('Address space of that network: a /24 that is free where it may be peered.')
param networkAddressPrefix string = '10.90.0.0/24'

@description('Object id of the person who runs "dev.py doctor": may list tables and queues and keep a probe secret. Empty for nobody.')
param operatorPrincipalId string = ''

@description('Address that alerts and the budget tell; empty for nobody.')
param alertEmail string = ''

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Gigabytes of logs a day after which nothing more is taken in; -1 is no limit.')
param logDailyCapGb int = 2

@description('Budget a month, in the currency of the subscription; 0 for none.')
@minValue(0)
param monthlyBudget int = 100

@description('First day of the first month of the budget; empty is this month. The hook "registration" keeps it, for Azure does not let it change.')
param budgetStart string = ''

@description('First day of this month: a default can only be told here. Leave it.')
param thisMonth string = utcNow('yyyy-MM-01')

@description('Tags of every resource, added to the name of the environment.')
param tags object = {}

var abbreviations = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })
var audience = empty(identifierUri) ? 'api://${appClientId}' : identifierUri
var directoryId = empty(platformDirectoryId) ? tenant().tenantId : platformDirectoryId

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: empty(resourceGroupName) ? '${abbreviations.resourceGroup}${environmentName}' : resourceGroupName
  location: location
  tags: allTags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: '${abbreviations.managedIdentity}drift-${token}'
    signInName: '${abbreviations.managedIdentity}drift-signin-${token}'
    location: location
    tags: allTags
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: '${abbreviations.storageAccount}drift${token}'
    location: location
    tags: allTags
    sku: storageSku
    softDeleteDays: softDeleteDays
    privateNetwork: privateNetwork
  }
}

module vault 'app/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: empty(vaultName) ? '${abbreviations.keyVault}drift-${token}' : vaultName
    location: location
    tags: allTags
    createMode: vaultCreateMode
    privateNetwork: privateNetwork
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: '${abbreviations.workspace}drift-${token}'
    componentName: '${abbreviations.components}drift-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module access 'app/access.bicep' = {
  name: 'access'
  scope: group
  params: {
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    componentName: monitoring.outputs.componentName
    appPrincipalId: identity.outputs.appPrincipalId
    operatorPrincipalId: operatorPrincipalId
  }
}

module network 'app/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: '${abbreviations.virtualNetwork}drift-${token}'
    securityGroupName: '${abbreviations.networkSecurityGroup}drift-${token}'
    gatewayName: '${abbreviations.natGateway}drift-${token}'
    addressName: '${abbreviations.publicAddress}drift-${token}'
    endpointPrefix: '${abbreviations.privateEndpoint}drift-${token}-'
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
  }
}

module site 'app/site.bicep' = {
  name: 'site'
  scope: group
  dependsOn: [access] // the app would meet closed doors at its first start
  params: {
    planName: '${abbreviations.serverFarm}drift-${token}'
    name: empty(functionAppName) ? '${abbreviations.functionApp}drift-${token}' : functionAppName
    location: location
    tags: allTags
    serviceName: 'app'
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    requestsPerMinute: requestsPerMinute
    siteUrl: siteUrl
    mailEndpoint: mailEndpoint
    mailSender: mailSender
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    storageName: storage.outputs.name
    deploymentContainerName: storage.outputs.deploymentContainerName
    componentName: monitoring.outputs.componentName
    vaultUri: vault.outputs.uri
    appIdentityId: identity.outputs.appId
    appIdentityClientId: identity.outputs.appClientId
    signInIdentityId: identity.outputs.signInId
    signInIdentityClientId: identity.outputs.signInClientId
    appClientId: appClientId
    identifierUri: audience
    platformDirectoryId: directoryId
    unauthenticatedAction: unauthenticatedAction
  }
}

module alerts 'app/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    actionGroupName: '${abbreviations.actionGroup}drift-${token}'
    alertPrefix: '${abbreviations.alert}drift-'
    location: location
    tags: allTags
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    storageId: storage.outputs.id
  }
}

module workbook 'app/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: allTags
    title: 'Azure Drift Detector (${environmentName})'
    workspaceId: monitoring.outputs.workspaceId
  }
}

module budget 'app/budget.bicep' = if (monthlyBudget > 0) {
  name: 'budget'
  scope: group
  params: {
    name: '${abbreviations.budget}drift-${token}'
    amount: monthlyBudget
    start: empty(budgetStart) ? thisMonth : budgetStart
    actionGroupId: alerts.outputs.actionGroupId
  }
}

@description('Azure region of the deployment.')
output AZURE_LOCATION string = location

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Directory of the subscription.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Client id of the app identity; to Lighthouse customers its object id is told instead.')
output DRIFT_IDENTITY_CLIENT_ID string = identity.outputs.appClientId

@description('Object id of the app identity: what a Lighthouse delegation names.')
output DRIFT_IDENTITY_PRINCIPAL_ID string = identity.outputs.appPrincipalId

@description('Object id of the sign-in identity: the subject of its federated credential.')
output DRIFT_SIGN_IN_PRINCIPAL_ID string = identity.outputs.signInPrincipalId

@description('Name of the function app.')
output SERVICE_APP_NAME string = site.outputs.name

@description('Address of the app.')
output DRIFT_URL string = site.outputs.url

@description('Endpoint of the tables.')
output DRIFT_TABLE_ENDPOINT string = storage.outputs.tableEndpoint

@description('Endpoint of the queues.')
output DRIFT_QUEUE_ENDPOINT string = storage.outputs.queueEndpoint

@description('Endpoint of the blobs.')
output DRIFT_BLOB_ENDPOINT string = storage.outputs.blobEndpoint

@description('Address of the vault.')
output DRIFT_KEY_VAULT_URL string = vault.outputs.uri

@description('Directory of the platform operators.')
output DRIFT_PLATFORM_DIRECTORY_ID string = directoryId

@description('Application ID URI: the audience of tokens for the API.')
output DRIFT_IDENTIFIER_URI string = audience

@description('Cloud that is watched.')
output DRIFT_ARM_ENDPOINT string = environment().resourceManager

@description('Where tokens come from.')
output AZURE_AUTHORITY_HOST string = environment().authentication.loginEndpoint
