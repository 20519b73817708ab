metadata description = 'What wakes somebody up. Log alerts look for the constant messages of the code; tests/infra/test_alerts.py checks that the code says them.'

@description('Name of the action group.')
param actionGroupName string

@description('Start of the names of the alerts.')
param alertPrefix string

@description('Azure region.')
param location string

@description('Tags of everything in here.')
param tags object

@description('Address that is told; empty for nobody, alerts then show in the portal only.')
param email string

@description('Resource id of the Log Analytics workspace.')
param workspaceId string

@description('Resource id of the storage account.')
param storageId string

var logAlerts = [
  {
    name: 'poison-message'
    title: 'A queue message was given up'
    description: 'Five tries failed. Its scan or notice is marked as failed and the tenant was told; the log around it says why.'
    severity: 2
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    query: 'AppTraces | where Message in ("poison message", "poison message cannot be read")'
  }
  {
    name: 'no-tick'
    title: 'No tick for 10 minutes'
    description: 'The timer that starts due scans does not run, so nothing is scanned. See docs/deploy.md, "When timers stand still".'
    severity: 1
    window: 'PT10M'
    operator: 'LessThan'
    threshold: 1
    query: 'AppTraces | where Message == "tick finished"'
  }
  {
    name: 'failed-scans'
    title: 'Scans fail'
    description: 'Scans of one or more tenants could not be started, or broke. Their pages say the reason.'
    severity: 2
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 2
    query: 'AppTraces | where Message in ("scan failed", "scan not started", "subscription not scanned")'
  }
  {
    name: 'failed-jobs'
    title: 'A backup, restore or export failed'
    description: 'The tenant\'s page of backups says the reason. After a failed restore the tenant stays closed until one succeeds.'
    severity: 2
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
    query: 'AppTraces | where Message == "job failed"'
  }
  {
    name: 'server-errors'
    title: 'The app answers with 5xx'
    description: 'Callers get errors that are not theirs. The answer carries a request id; the log entry has the same.'
    severity: 2
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 4
    query: 'AppTraces | where Message == "answered with a server error"'
  }
  {
    name: 'throttling'
    title: 'Azure throttles the app'
    description: 'Azure asked the app to wait 50 times within an hour. Scans still end, later. Spread schedules, or see which tenant is so large.'
    severity: 3
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 50
    query: 'AppTraces | where Message == "throttled"'
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'drift'
    emailReceivers: empty(email) ? [] : [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in logAlerts: {
  name: '${alertPrefix}${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: alert.title
    description: alert.description
    severity: alert.severity
    enabled: true
    autoMitigate: true
    evaluationFrequency: 'PT5M'
    windowSize: alert.window
    scopes: [workspaceId]
    skipQueryValidation: true // the tables appear with the first rows, after this
    actions: { actionGroups: [actionGroup.id] }
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: alert.operator
          threshold: alert.threshold
          failingPeriods: {
            minFailingPeriodsToAlert: 1
            numberOfEvaluationPeriods: 1
          }
        }
      ]
    }
  }
}]

resource storageThrottling 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${alertPrefix}storage-throttling'
  location: 'global'
  tags: tags
  properties: {
    description: 'The storage account is at its limit of requests, also where the app never sees it because the host is the one that waits.'
    severity: 3
    enabled: true
    autoMitigate: true
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    scopes: [storageId]
    actions: [{ actionGroupId: actionGroup.id }]
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricNamespace: 'Microsoft.Storage/storageAccounts'
          metricName: 'Transactions'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 10
          dimensions: [
            {
              name: 'ResponseType'
              operator: 'Include'
              values: ['ClientThrottlingError', 'ServerBusyError', 'SuccessWithThrottling']
            }
          ]
        }
      ]
    }
  }
}

@description('Resource id of the action group: the budget tells the same people.')
output actionGroupId string = actionGroup.id
