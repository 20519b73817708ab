metadata description = 'The function app on Flex Consumption, its settings, and who may reach it: App Service authentication (Easy Auth) stands before every path but /healthz.'

@description('Name of the plan.')
param planName string

@description('Name of the function app, unique in all of Azure: NAME.azurewebsites.net.')
param name string

@description('Azure region.')
param location string

@description('Tags of both.')
param tags object

@description('Name of the service in azure.yaml, by which azd finds the app to deploy to.')
param serviceName string

@description('Memory of one instance in MB: 2048 is one core. A scan holds one page of resources and some packs.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('The most instances there may be at once; 40 is the least that Azure takes.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int

@description('Requests that one signed-in principal may make in a minute in one tenant, over all instances.')
@minValue(20)
@maxValue(1000000)
param requestsPerMinute int

@description('Where people reach the pages, for links in notices; empty: the name of the function app.')
param siteUrl string

@description('Endpoint of Azure Communication Services, for mail channels that bring no access of their own; empty: none. The app identity needs a role there that may send mail.')
param mailEndpoint string

@description('Address that such mail comes from.')
param mailSender string

@description('Subnet the app sends from; empty for none.')
param subnetId string

@description('Name of the storage account.')
param storageName string

@description('Name of the container that holds the deployed package.')
param deploymentContainerName string

@description('Name of the Application Insights component.')
param componentName string

@description('Address of the vault.')
param vaultUri string

@description('Resource id of the app identity.')
param appIdentityId string

@description('Client id of the app identity.')
param appIdentityClientId string

@description('Resource id of the sign-in identity.')
param signInIdentityId string

@description('Client id of the sign-in identity.')
param signInIdentityClientId string

@description('Client id of the app registration: people sign in to it, and customers consent to it.')
param appClientId string

@description('Application ID URI of the app registration: the audience of tokens for the API.')
param identifierUri string

@description('Directory whose users with the app role Platform.Operator run the deployment.')
param platformDirectoryId string

@description('What a caller gets who is not signed in. One app has one answer: see docs/deploy.md.')
@allowed(['RedirectToLoginPage', 'Return401'])
param unauthenticatedAction string

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': serviceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${appIdentityId}': {}
      '${signInIdentityId}': {}
    }
  }
  properties: {
    clientAffinityEnabled: false
    httpsOnly: true
    serverFarmId: plan.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: appIdentityId
          }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
    }
  }

  // Deployments sign in with Entra ID; the site's own user names and passwords are shut.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: {
      // the host
      AzureWebJobsDisableHomepage: 'true'
      AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
      AzureWebJobsStorage__clientId: appIdentityClientId
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
      AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${appIdentityClientId};Authorization=AAD'
      APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
      PYTHON_ENABLE_OPENTELEMETRY: 'true' // the worker exports by itself: the host then leaves its logs alone
      // Easy Auth: this identity proves the app registration, so there is no client secret anywhere.
      OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: signInIdentityClientId
      // the app: settings.py
      AZURE_AUTHORITY_HOST: environment().authentication.loginEndpoint
      AZURE_CLIENT_ID: appIdentityClientId
      DRIFT_API_AUDIENCE: identifierUri
      DRIFT_APP_CLIENT_ID: appClientId
      DRIFT_ARM_ENDPOINT: environment().resourceManager
      DRIFT_BLOB_ENDPOINT: storage.properties.primaryEndpoints.blob
      DRIFT_KEY_VAULT_URL: vaultUri
      DRIFT_MAIL_ENDPOINT: mailEndpoint
      DRIFT_MAIL_SENDER: mailSender
      DRIFT_PLATFORM_DIRECTORY_ID: platformDirectoryId
      DRIFT_QUEUE_ENDPOINT: storage.properties.primaryEndpoints.queue
      DRIFT_REQUESTS_PER_MINUTE: string(requestsPerMinute)
      DRIFT_SITE_URL: siteUrl
      DRIFT_TABLE_ENDPOINT: storage.properties.primaryEndpoints.table
    }
  }

  resource authentication 'config' = {
    name: 'authsettingsV2'
    dependsOn: [settings] // both restart the app; one after the other
    properties: {
      platform: { enabled: true }
      globalValidation: {
        excludedPaths: ['/healthz']
        redirectToProvider: 'azureactivedirectory'
        requireAuthentication: true
        unauthenticatedClientAction: unauthenticatedAction
      }
      httpSettings: { requireHttps: true }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: appClientId
            clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
            // Any directory may sign in; which tenant that opens, if any, is decided by tenancy/access.py.
            openIdIssuer: '${environment().authentication.loginEndpoint}common/v2.0'
          }
          validation: { allowedAudiences: [appClientId, identifierUri] }
        }
      }
      login: {
        preserveUrlFragmentsForLogins: true
        tokenStore: { enabled: true } // claims get their long names only with it
      }
    }
  }
}

@description('Name of the function app.')
output name string = site.name

@description('Resource id of the function app.')
output id string = site.id

@description('Address of the function app.')
output url string = 'https://${site.properties.defaultHostName}'
